"""Real pixels: only where the terminal is sure to draw them, and then exactly the frame."""

from __future__ import annotations

import base64
import os
import pty
import re
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pytest
from textual.app import App, ComposeResult
from textual.strip import Strip

from lamo_core.errors import UsageError
from lamo_tui.terminal.graphics import Graphics, choose_graphics, find_graphics
from lamo_tui.widgets.pixel_view import PixelView, number_marks, placeholders, transmission

KITTY = "\x1b_Gi=31;OK\x1b\\\x1bP>|kitty(0.42.1)\x1b\\\x1b[6;24;12t\x1b[?62c"
NOBODY = ("", "")


def never(question: str) -> str:
    raise AssertionError("it asked")


def found(environ: dict[str, str], answer: str = "", tmux: tuple[str, str] = NOBODY) -> Graphics | None:
    return find_graphics(environ, lambda question: answer, lambda: tmux)


def test_kitty_and_ghostty_draw_pixels() -> None:
    assert found({"TERM": "xterm-kitty"}, KITTY) == Graphics(cell=(12, 24))
    ghostty = KITTY.replace("kitty(0.42.1)", "ghostty 1.2.0").replace("\x1b[6;24;12t", "")
    assert found({"GHOSTTY_RESOURCES_DIR": "/usr/share"}, ghostty) == Graphics()


@pytest.mark.parametrize(
    "environ", [{}, {"TERM": "xterm-256color"}, {"TERM_PROGRAM": "WezTerm"}, {"TERM": "xterm-kitty", "STY": "1.screen"}]
)
def test_other_terminals_are_not_even_asked(environ: dict[str, str]) -> None:
    assert find_graphics(environ, never, lambda: NOBODY) is None


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "\x1b[?62c",
        KITTY.replace("OK", "ENOTSUPPORTED"),
        KITTY.replace("kitty(", "WezTerm("),
        KITTY.split("\x1bP")[0],
    ],
)
def test_a_doubtful_answer_is_a_no(answer: str) -> None:
    assert found({"KITTY_WINDOW_ID": "1"}, answer) is None


@pytest.mark.parametrize(
    ("answer", "draws"),
    [
        (("on", "xterm-kitty"), True),
        (("all", "xterm-ghostty"), True),
        (("off", "xterm-kitty"), False),
        (("on", "xterm-256color"), False),
        (NOBODY, False),
    ],
)
def test_tmux_must_let_pictures_through(answer: tuple[str, str], draws: bool) -> None:
    graphics = find_graphics({"TMUX": "/tmp/x", "TERM": "xterm-kitty"}, never, lambda: answer)
    assert (graphics is not None and graphics.tmux) == draws


def test_the_choice_can_be_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    assert choose_graphics("blocks") is None
    assert choose_graphics("kitty") == Graphics()
    with pytest.raises(UsageError, match="--pixels wants one of"):
        choose_graphics("sixel")


@pytest.mark.parametrize("answers", [True, False])
def test_a_real_terminal_is_asked_once_and_left_as_it_was(answers: bool) -> None:
    code = (
        "import termios, os; from lamo_tui.terminal.graphics import find_graphics, ask_terminal\n"
        "before = termios.tcgetattr(0)\n"
        "print('found', find_graphics({'TERM': 'xterm-kitty'}, ask_terminal, None))\n"
        "print('same', termios.tcgetattr(0) == before)\n"
    )
    ours, theirs = pty.openpty()
    program = subprocess.Popen([sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    heard = b""

    def play_terminal() -> None:
        nonlocal heard
        answered = False
        while True:
            try:
                heard += os.read(ours, 4096)
            except OSError:
                return
            if answers and not answered and b"\x1b[c" in heard:
                os.write(ours, KITTY.encode())
                answered = True

    thread = threading.Thread(target=play_terminal, daemon=True)
    thread.start()
    assert program.wait(timeout=30) == 0
    end = time.monotonic() + 10
    while b"same" not in heard and time.monotonic() < end:
        time.sleep(0.01)
    text = heard.decode(errors="replace")
    assert ("found Graphics(cell=(12, 24)" in text) == answers
    assert "same True" in text


def test_a_frame_is_sent_whole() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    parts = transmission(frame, 70_000, 12, 8)
    assert len(parts) > 1
    heads = [re.fullmatch(r"\x1b_G([^;]*);([A-Za-z0-9+/=]*)\x1b\\", part) for part in parts]
    keys = dict(item.split("=") for item in heads[0][1].split(","))  # type: ignore[index]
    assert {name: keys[name] for name in "aUfoi"} == {"a": "T", "U": "1", "f": "24", "o": "z", "i": "70000"}
    assert {name: keys[name] for name in "svcrm"} == {"s": "30", "v": "40", "c": "12", "r": "8", "m": "1"}
    assert [head[1] for head in heads[1:]] == ["m=1"] * (len(parts) - 2) + ["m=0"]  # type: ignore[index]
    data = zlib.decompress(base64.b64decode("".join(head[2] for head in heads)))  # type: ignore[index]
    assert data == frame.tobytes()


def test_marks_number_rows_and_columns() -> None:
    marks = number_marks()
    assert len(marks) == len(set(marks)) > 120
    assert (marks[0], marks[1], marks[17], marks[30]) == ("\u0305", "\u030d", "\u0363", "\u0483")
    row = placeholders(2, 20)
    assert row.count("\U0010eeee") == 20
    assert row.startswith("\U0010eeee" + marks[2] + marks[0])
    assert "\U0010eeee" + marks[2] + marks[8] in row


class Stage(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.view, self.sent = PixelView(), list[str]()
        self.view.write = self.sent.append

    def compose(self) -> ComposeResult:
        yield self.view


@pytest.fixture(autouse=True)
def _true_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")


def colour_of(line: Strip) -> int:
    """Return the colour of a line's text as a number."""
    red, green, blue = next(iter(line)).style.color.triplet  # type: ignore[union-attr]
    return red << 16 | green << 8 | blue


async def test_pixels_take_turns_and_make_room_for_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Stage()
    async with app.run_test(size=(40, 20)) as pilot:
        monkeypatch.setattr(type(app.console), "color_system", property(lambda self: "truecolor"))
        graphics = Graphics(cell=(10, 20), tmux=True)
        app.view.change(graphics=graphics, covered=False)
        black, white = np.zeros((40, 40, 3), np.uint8), np.full((40, 40, 3), 255, np.uint8)
        app.view.show(black)
        await pilot.pause()
        assert app.sent[0].startswith("\x1bPtmux;\x1b\x1b_Ga=T")
        line = app.view.render_line(5)
        assert line.cell_length == 40
        assert line.text.count("\U0010eeee") == 40
        first = colour_of(line)
        app.view.show(black.copy())
        assert len(app.sent) == 1
        app.view.show(white)
        second = colour_of(app.view.render_line(5))
        ids = [int(found) for text in app.sent for found in re.findall(r"i=(\d+)", text)]
        assert [first, second] == ids
        assert ids[0] != ids[1]
        app.view.change(graphics=graphics, covered=True)
        assert "a=d,d=I" in app.sent[-1]
        assert "\U0010eeee" not in app.view.render_line(5).text
        app.view.change(graphics=graphics, covered=False)
        assert "\U0010eeee" in app.view.render_line(5).text
        await pilot.resize_terminal(30, 10)
        await pilot.pause()
        assert app.view.render_line(3).cell_length == 30
        app.view.show(None)
        assert "a=d,d=I" in app.sent[-1]


async def test_without_true_colours_there_are_half_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Stage()
    async with app.run_test(size=(40, 20)) as pilot:
        monkeypatch.setattr(type(app.console), "color_system", property(lambda self: "256"))
        app.view.change(graphics=Graphics(), covered=False)
        app.view.show(np.zeros((40, 40, 3), np.uint8))
        await pilot.pause()
        assert app.sent == []
