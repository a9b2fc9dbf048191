"""The progress line and what commands print with."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from lamo_core.config import EvalConfig
from lamo_core.training.events import Note, Stopped
from lamo_tui.cli import output
from lamo_tui.cli.output import emit_json, emit_table
from lamo_tui.cli.plain_console import PlainConsole
from lamo_tui.cli.progress import ProgressLine, progress
from lamo_tui.format import duration, rate
from tests.runs.run_doubles import FakeClock, eval_done, score, started, step_done


def _console(terminal: bool, width: int = 120) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    stderr = Console(
        file=text, force_terminal=terminal, width=width, highlight=False, color_system=None, soft_wrap=True
    )
    return stderr, text


def test_without_a_terminal_there_is_a_line_every_ten_seconds() -> None:
    stderr, text = _console(terminal=False)
    clock = FakeClock()
    with ProgressLine(EvalConfig(every=0, final_episodes=0), stderr=stderr, clock=clock) as line:
        line.write(started(total=100))
        for step in range(1, 41):
            line.write(step_done(step, language=3.0, seconds=0.5))
            clock.now += 0.5
        line.write(eval_done(40, score([2.0, 4.0])))
        line.write(Stopped(40, 40.0, reason="stop", message="asked"))
    lines = text.getvalue().splitlines()
    assert lines[0].startswith("started: 100 steps on cpu")
    assert lines[1].startswith("step 1/100")
    assert lines[2] == "step 21/100  loss 0.5  language 3  2 steps/s  40s left"
    assert "return 3 [2, 4] for target 9" in lines[3]
    assert lines[4] == "step 40: stop: asked"
    assert len(lines) == 5
    assert "\x1b" not in text.getvalue()


def test_in_a_terminal_one_line_is_drawn_again_and_the_cursor_comes_back() -> None:
    stderr, text = _console(terminal=True)
    clock = FakeClock()
    with ProgressLine(stderr=stderr, clock=clock) as line:
        line.write(started(total=100))
        line.write(step_done(50))
        drawn = text.getvalue()
        line.write(step_done(51))
        assert text.getvalue() == drawn, "at most four times a second"
        clock.now += 1
        line.write(eval_done(51, score([2.0, 4.0])))
        line.write(step_done(52))
    written = text.getvalue()
    assert "━" in drawn
    assert "50%" in drawn
    assert "return 3" in written.split("52/100")[1]
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


@pytest.mark.parametrize("width", [1, 10, 40, 79])
def test_a_narrow_terminal_gets_one_line(width: int) -> None:
    stderr, text = _console(terminal=True, width=width)
    with ProgressLine(stderr=stderr) as line:
        line.write(started(total=100))
        before = text.getvalue()
        line.write(step_done(50, language=1.0))
        drawn = text.getvalue()[len(before) :]
    assert "\n" not in drawn


def test_stages_show_their_beginning_and_end() -> None:
    stderr, text = _console(terminal=False)
    clock = FakeClock()
    with ProgressLine(stderr=stderr, clock=clock) as line:
        line.stage("loading", 0, 0)
        for done in range(0, 5001):
            line.stage("frames", done, 5000)
    assert text.getvalue().splitlines() == ["loading", "frames 0/5,000", "frames 5,000/5,000"]


def test_a_terminal_that_goes_away_does_not_stop_the_work() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    for terminal in (True, False):
        with ProgressLine(stderr=Console(file=Gone(), force_terminal=terminal)) as line:
            line.write(started())
            line.write(step_done(1))
            line.write(Note(1, 1.0, text="unseen"))


def test_what_is_narrated_elsewhere_is_not_said_twice() -> None:
    stderr, text = _console(terminal=False)
    with ProgressLine(stderr=stderr, narrated=False) as line:
        line.write(Note(1, 1.0, text="once is enough"))
        line.stage("frames", 1, 2)
    assert text.getvalue() == "frames 1/2\n"


def test_markup_in_texts_is_printed_as_it_is() -> None:
    stderr, text = _console(terminal=False)
    with ProgressLine(stderr=stderr) as line:
        line.write(Note(1, 1.0, text="[red]folder[/red] [0, 1]"))
    assert text.getvalue() == "step 1: [red]folder[/red] [0, 1]\n"


def test_json_is_one_strict_line(capsys: pytest.CaptureFixture[str]) -> None:
    emit_json({"a": float("nan"), "path": Path("x"), "rows": (1, 2)})
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"a": "NaN", "path": "x", "rows": [1, 2]}
    assert captured.err == ""


def test_tables_go_to_stdout_whole(capsys: pytest.CaptureFixture[str]) -> None:
    emit_table(["name", "n"], [["x" * 90, None], ["[bold]", 12]], right=["n"], optional=["n"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["name", "n"], ["x" * 90, "-"], ["[bold]", "12"]]


def test_a_narrow_terminal_loses_optional_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "20")
    emit_table(["name", "age", "n"], [["x" * 12, "y" * 9, 1]], optional=["age", "n"])
    plain = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert plain.split() == ["name", "n", "x" * 12, "1"]


@pytest.mark.parametrize("width", ["24", "40", "60"])
def test_a_terminal_too_narrow_for_a_table_gets_paragraphs_and_every_letter(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", width)
    emit_table(["run", "state", "return", "age"], [["i" * 58, "finished", None, "1m 00s"]], optional=["age"])
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert lines[0] == "i" * 58
    assert [line.strip() for line in lines[1:]] in (["state finished · age 1m 00s"], ["state finished", "age 1m 00s"])
    assert all(len(line) <= int(width) for line in lines[1:])


def test_a_pipe_gets_tables_whole_however_wide(capsys: pytest.CaptureFixture[str]) -> None:
    emit_table(["name", "command"], [["x" * 150, "y" * 150]])
    assert capsys.readouterr().out.splitlines()[1].split() == ["x" * 150, "y" * 150]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (float("nan"), "-"), (float("inf"), "-"), (0.2, "0s"), (59.6, "1m 00s"), (3725, "1h 02m")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
    assert duration(266_400) == "3d 02h"


def test_rates() -> None:
    assert [rate(None), rate(0.1234), rate(3.456), rate(1234.5)] == ["-", "0.123", "3.46", "1,234"]


def test_progress_of_long_work_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as report:
        report("frames", 3, 3)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "frames 3/3\n")


def test_a_line_that_stands_there_already_is_not_printed_again() -> None:
    stderr, text = _console(terminal=False)
    clock = FakeClock()
    with ProgressLine(stderr=stderr, clock=clock) as line:
        for _ in range(5):
            line.stage("1 working: a; done", 0, 2)
            clock.now += 11
        for _ in range(3):
            line.stage("1 working: b; done", 1, 2)
            clock.now += 11
        for _ in range(3):
            line.stage("0 working; done", 2, 2)
        line.write(Note(1, 1.0, text="something happened"))
        line.stage("0 working; done", 2, 2)
    lines = text.getvalue().splitlines()
    assert lines == [
        "1 working: a; done 0/2",
        "1 working: b; done 1/2",
        "0 working; done 2/2",
        "step 1: something happened",
        "0 working; done 2/2",
    ]


@pytest.mark.parametrize("odd", ["x 日本", "[bold]x[/bold]", "ü", "tab\there"])
def test_a_table_in_a_file_is_what_rich_would_print(
    odd: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [["a", None, Text(odd, style="green"), 3.5], ["a longer name", 2, "", None]]
    printed = []
    for plainly in (True, False):
        if not plainly:
            monkeypatch.setattr(output, "_print_plainly", _print_with_rich)
        emit_table(["run", "n", "text", "value"], rows, right=["n", "value"])
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] != ""


def _print_with_rich(columns: list[str], rows: list[list[Text]], shown: list[tuple[int, int, bool]]) -> None:
    right = [columns[place] for place, _, to_the_right in shown if to_the_right]
    PlainConsole(width=200).print(output._grid(columns, rows, [place for place, *_ in shown], right))
