"""`lamo runs`, `stop`, `pause`, `resume` and `report`, as they are typed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lamo_core.config import RunConfig
from lamo_core.errors import LamoError
from lamo_core.runs.control import ControlInbox
from lamo_core.runs.create import create_run
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.queue.entry import this_host
from lamo_core.runs.queue.waiting import enqueue
from lamo_core.runs.status import (
    FREED,
    EvalPoint,
    Status,
    own_process,
    process_start,
    read_state,
    read_status,
    write_status,
)
from lamo_tui.cli.report.report_sources import find_records
from lamo_tui.cli.runs import queue as queue_commands
from lamo_tui.cli.runs import runs as commands
from lamo_tui.cli.runs.runs import sparkline
from tests.runs.run_doubles import record


class Outcome:
    """What a command printed, and how it ended."""

    def __init__(self, code: int, stdout: str, stderr: str) -> None:
        self.code, self.stdout, self.stderr = code, stdout, stderr

    @property
    def json(self) -> Any:
        assert self.stdout.count("\n") == 1
        return json.loads(self.stdout)


Lamo = Callable[..., Outcome]


@pytest.fixture
def lamo() -> Lamo:
    """Run a command; errors for the user become exit codes and one line, as in the real program."""
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.add_typer(commands.app, name="runs")
    app.add_typer(queue_commands.app, name="queue")
    for name in ("stop", "pause", "resume", "report"):
        app.command(name)(getattr(commands, name))

    def run(*arguments: str, answer: str | None = None) -> Outcome:
        result = CliRunner().invoke(app, list(arguments), input=answer)
        if isinstance(result.exception, LamoError):
            assert "\n" not in str(result.exception)
            return Outcome(result.exception.exit_code, result.stdout, str(result.exception))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of runs, empty."""
    monkeypatch.setenv("LAMO_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def _make(root: Path, **values: Any) -> RunDirectory:
    return create_run(root, RunConfig.from_dict(values), {"seed": "--set"}, ["lamo", "train"])


def _works(run: RunDirectory, state: str = "running") -> None:
    """Pretend that this process works on the run."""
    import time

    pid, started = own_process()
    points = tuple(EvalPoint(step, float(step), step / 2) for step in (1, 2, 3))
    write_status(
        run,
        Status(
            state=state,
            pid=pid,
            pid_started=started,
            host=this_host(),
            step=30,
            total=1000,
            rate=2.0,
            eta=485.0,
            heartbeat=time.time(),
            evaluations=points,
        ),
    )


def _commands(run: RunDirectory) -> list[Any]:
    return ControlInbox(run.control).poll()


def test_an_empty_folder_says_how_to_begin(root: Path, lamo: Lamo) -> None:
    outcome = lamo("runs")
    assert (outcome.code, outcome.stdout) == (0, "")
    assert "lamo train --preset" in outcome.stderr.replace("\n", " ")
    assert lamo("runs", "--json").json == {"folder": str(root), "runs": []}


def test_runs_are_listed_with_what_matters(root: Path, lamo: Lamo) -> None:
    run = _make(root, name="demo", seed=4)
    _works(run)
    outcome = lamo("runs")
    (line,) = outcome.stdout.splitlines()[1:]
    assert line.split()[:7] == [run.id, "running", "30/1,000", "2", "8m", "05s", "3"]
    assert "▁▅█" in line
    (row,) = lamo("runs", "--json").json["runs"]
    assert (row["id"], row["state"], row["seed"], row["last_return"]) == (run.id, "running", 4, 3.0)


def test_a_run_that_prepares_its_data_says_so(root: Path, lamo: Lamo) -> None:
    run = _make(root)
    _works(run)
    status, _ = read_state(run)
    write_status(run, replace(status, phase="replaying the episodes", phase_done=3, phase_total=4))
    assert "replaying the episodes 75%" in lamo("runs").stdout


def test_filters_need_no_command(root: Path, lamo: Lamo) -> None:
    left, right = _make(root, name="left", seed=1), _make(root, name="right", seed=2)
    _works(left)
    record(right, [3.0])

    def ids(*arguments: str) -> list[str]:
        return [row["id"] for row in lamo("runs", *arguments, "--json").json["runs"]]

    assert ids("seed>1") == ids("right") == ids("-seed=1") == ids("--state", "finished") == [right.id]
    assert ids("list", "left") == ids("--state", "running") == [left.id]
    assert "none of 2 runs fits" in lamo("runs", "nothing").stderr
    assert lamo("runs", "--state", "runing").stderr == "there is no state 'runing'; did you mean 'running'?"
    assert lamo("runs", "sed=1").code == 2


def test_one_run_is_shown_with_its_changed_settings(root: Path, lamo: Lamo) -> None:
    run = record(_make(root, name="demo", seed=4), [3.0])
    text = lamo("runs", "show", "last").stdout
    assert "state       finished" in text
    assert any(line.split() == ["seed", "4", "--set"] for line in text.splitlines())
    assert "optim.clip" not in text
    shown = lamo("runs", "show", run.id, "--json").json
    assert shown["info"]["argv"] == ["lamo", "train"]
    assert shown["events"][-1]["event"] == "Stopped"
    assert lamo("runs", "show", "nothing").code == 2


def test_the_difference_of_two_runs(root: Path, lamo: Lamo) -> None:
    left, right = _make(root, name="x", seed=1), _make(root, name="x", seed=2)
    assert lamo("runs", "diff", left.id, right.id, "--json").json["difference"] == {"seed": [1, 2]}
    assert lamo("runs", "diff", left.id, right.id).stdout.splitlines()[1].split() == ["seed", "1", "2"]
    assert "equal" in lamo("runs", "diff", left.id, left.id).stderr


def test_commands_reach_a_working_run(root: Path, lamo: Lamo) -> None:
    run = _make(root)
    _works(run)
    assert lamo("pause", "last").code == 0
    assert lamo("runs", "save", "last").code == 0
    assert lamo("runs", "eval", "last", "--json").json["commands"][0]["name"] == "eval"
    assert lamo("runs", "set", "last", "eval.every=5", "checkpoint.keep=3").stdout == ""
    assert lamo("resume", "last").code == 0
    stop = lamo("stop", "last", "--json").json
    assert (stop["command"], stop["state"]) == ("stop", "running")
    sent = [(command.name, command.setting, command.value) for command in _commands(run)]
    assert sent == [
        ("pause", "", ""),
        ("checkpoint", "", ""),
        ("eval", "", ""),
        ("set", "eval.every", "5"),
        ("set", "checkpoint.keep", "3"),
        ("resume", "", ""),
        ("stop", "", ""),
    ]


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("cuda:0", "pause and free its GPU"),
        ("", "pause and free its GPU"),
        ("cpu", "pause; it computes on cpu, in the machine's own memory, so there is nothing on a device to free"),
    ],
)
def test_a_pause_can_free_the_device(root: Path, lamo: Lamo, device: str, words: str) -> None:
    run = _make(root)
    _works(run)
    write_status(run, replace(read_status(run), device=device))
    outcome = lamo("pause", "last", "--free")
    assert " ".join(outcome.stderr.split()) == f"asked {run.id}: {words}"
    assert lamo("pause", "last", "--json").json["commands"][0]["free"] is False
    assert [(command.name, command.free) for command in _commands(run)] == [("pause", True), ("pause", False)]


def test_a_run_that_gave_its_device_back_says_so(root: Path, lamo: Lamo) -> None:
    run = _make(root)
    _works(run)
    write_status(run, replace(read_status(run), state="paused", phase=FREED, step=3, total=9, message="no room"))
    assert "3/9, memory freed" in lamo("runs").stdout
    assert lamo("runs", "--json").json["runs"][0]["phase"] == "memory freed"
    assert "paused (no room)" in lamo("runs", "show", "last").stdout


@pytest.mark.parametrize("command", [["pause"], ["resume"], ["runs", "save"], ["runs", "eval"]])
def test_a_run_that_ended_says_how_to_go_on(root: Path, lamo: Lamo, command: list[str]) -> None:
    run = _make(root)
    write_status(run, Status(state="stopped"))
    assert f"continue it with: lamo train --resume {run.id}" in lamo(*command, "last").stderr, "it begins then"
    write_status(run, Status(state="stopped", step=3))
    assert "it has no checkpoint, so start it again" in lamo(*command, "last").stderr
    run.last_checkpoint.write_bytes(b"x")
    outcome = lamo(*command, "last")
    assert outcome.code == 2
    assert outcome.stderr.endswith(f"continue it with: lamo train --resume {run.id}")
    assert _commands(run) == []
    write_status(run, Status(state="finished"))
    assert lamo(*command, "last").stderr == f"run {run.id} is finished: no process works on it"


def test_stopping_what_has_stopped_is_no_error(root: Path, lamo: Lamo) -> None:
    run = _make(root)
    run.last_checkpoint.write_bytes(b"x")
    write_status(run, Status(state="stopped"))
    outcome = lamo("stop", "last")
    assert outcome.code == 0
    assert f"lamo train --resume {run.id}" in outcome.stderr.replace("\n", " ")
    assert _commands(run) == []


@contextmanager
def living(*opened: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that has some files open and lives until it is told to end."""
    code = "import sys; held = [open(path, 'a') for path in sys.argv[1:]]; print('ready', flush=True); input()"
    command = [sys.executable, "-c", code, *map(str, opened)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def _says_that_it_works(run: RunDirectory, process: subprocess.Popen[str]) -> None:
    started = process_start(process.pid)
    write_status(run, Status(state="running", pid=process.pid, pid_started=started, host=this_host()))


def test_a_hanging_run_can_be_killed(root: Path, lamo: Lamo) -> None:
    run = _make(root)
    with living(run.log_file) as child:
        _says_that_it_works(run, child)
        assert lamo("stop", "last", "--kill", "--json").json["state"] == "lost"
        assert child.wait(30) == -9
        assert lamo("stop", "last", "--kill").code == 2


def test_a_process_that_does_not_work_on_the_run_is_never_killed(root: Path, lamo: Lamo) -> None:
    ours, other = _make(root), _make(root)
    with living() as nobody, living(other.log_file) as somebody:
        for process in (nobody, somebody):
            _says_that_it_works(ours, process)
            ours.log_file.unlink(missing_ok=True)
            for prepare in (ours.log_file.touch, lambda: ours.log_file.symlink_to(other.log_file)):
                ours.log_file.unlink(missing_ok=True)
                prepare()
                said = lamo("stop", ours.id, "--kill")
                assert (said.code, process.poll()) == (2, None)
                assert "does not have its log open" in said.stderr


@pytest.mark.parametrize("bad", ["eval.every", "seed=3", "eval.every=x"])
def test_bad_settings_are_refused(root: Path, lamo: Lamo, bad: str) -> None:
    run = _make(root)
    _works(run)
    assert lamo("runs", "set", "last", bad).code == 2
    assert _commands(run) == []


def test_runs_are_removed_only_when_asked_and_idle(root: Path, lamo: Lamo) -> None:
    idle, busy = _make(root, name="idle"), _make(root, name="busy")
    write_status(idle, Status(state="finished"))
    _works(busy)
    assert "add --yes" in lamo("runs", "rm", "idle", answer="y\n").stderr
    assert "stop it first" in lamo("runs", "rm", "busy", "--yes").stderr
    assert lamo("runs", "rm", "idle", idle.id, "--yes", "--json").json == {"removed": [idle.id]}
    assert [path.name for path in root.iterdir()] == [busy.id]
    assert read_state(busy)[1].state == "running"


def test_a_report_is_made_from_recorded_runs(root: Path, lamo: Lamo, tmp_path: Path) -> None:
    for seed in (0, 1):
        record(_make(root, name="p", seed=seed, data={"ratio": 0.01}), [1.0, 3.0 + seed])
    _make(root, name="unfinished")
    outcome = lamo("report")
    assert outcome.code == 0
    assert "2.25 [" in outcome.stdout
    assert "Breakout" in outcome.stdout
    (row,) = lamo("report", "--json").json["rows"]
    assert (row["seeds"], row["mean"], row["ratio"]) == ([0, 1], 2.25, 0.01)
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- results:start -->\nold\n<!-- results:end -->\nafter\n")
    assert lamo("report", "--update", str(readme)).stdout == ""
    text = readme.read_text()
    assert text.startswith("before\n<!-- results:start -->\n| Task |")
    assert text.endswith("<!-- results:end -->\nafter\n")
    assert "old" not in text
    assert "| Breakout | 1 %: 7 episodes, 700 transitions | lamo | mini | 0, 1 | 2.25 [" in text
    again = lamo("report", "--update", str(readme))
    assert again.code == 0
    assert readme.read_text() == text


def test_a_report_says_what_it_leaves_out(root: Path, lamo: Lamo, tmp_path: Path) -> None:
    done, rest = record(_make(root, name="done"), [1.0]), _make(root, name="rest")
    outcome = lamo("report", done.id, rest.id, "--markdown")
    assert f"left out: run {rest.id} has no final evaluation yet" in outcome.stderr.replace("\n", " ")
    assert outcome.stdout.startswith("| Task |")
    assert lamo("report", "--filter", "task:pong").code == 2
    (tmp_path / "plain.md").write_text("no markers")
    assert "has no place for the table" in lamo("report", "--update", str(tmp_path / "plain.md")).stderr
    assert "could not read" in lamo("report", "--update", str(tmp_path / "none.md")).stderr


def test_sparklines() -> None:
    assert sparkline([]) == sparkline([1.0]) == ""
    assert sparkline([0.0, 1.0]) == "▁█"
    assert sparkline([2.0, 2.0, float("nan")]) == "▁▁"
    assert sparkline([-1e308, 1e308]) == "▁█"


def test_names_and_notes_of_a_strangers_run_do_not_steer_the_terminal(root: Path, lamo: Lamo) -> None:
    steering = "\x1b]0;mine\x07\x9b31m"
    run = _make(root, name="p")
    info = json.loads(run.run_file.read_text()) | {"name": steering, "origins": {"seed": steering}}
    info["config"]["task"]["name"] = steering
    run.run_file.write_text(json.dumps(info))
    run.log_file.write_text(steering + "\n")
    run.status_file.write_text(json.dumps({"state": "failed", "message": steering, "device": steering}))
    for words in ("runs",), ("runs", "--json"), ("runs", "show", "last"), ("runs", "show", "last", "--json"):
        printed = lamo(*words).stdout
        assert printed.strip()
        assert not any(letter in printed for letter in "\x1b\x07\x9b"), words


def test_a_run_file_of_another_form_shows_what_can_be_shown(root: Path, lamo: Lamo, tmp_path: Path) -> None:
    run = _make(root, name="p")
    info = json.loads(run.run_file.read_text()) | {"origins": "x", "argv": {"a": 1}, "machine": 7, "versions": []}
    run.run_file.write_text(json.dumps(info))
    run.status_file.write_text(json.dumps({"state": "failed"}))
    assert "settings" in lamo("runs", "show", "last").stdout
    assert lamo("runs", "pack", "last", "--out", str(tmp_path / "packed")).code == 0


def test_waiting_runs_show_their_place_and_can_be_taken_out(root: Path, lamo: Lamo) -> None:
    first, second = _make(root, name="first", device="cpu"), _make(root, name="second", device="cpu")
    enqueue(first)
    enqueue(second)
    assert "queued 2" in lamo("runs", "second").stdout
    assert [row["position"] for row in lamo("runs", "--json").json["runs"]] == [2, 1]
    assert [row["run"] for row in lamo("queue", "--json").json["waiting"]] == [first.id, second.id]
    assert "no process serves the queue" in lamo("queue").stderr
    assert lamo("stop", first.id, "--json").json["state"] == "stopped"
    assert lamo("runs", "second", "--json").json["runs"][0]["position"] == 1
    assert lamo("queue", "clear", "--json").json == {"removed": [second.id]}
    assert "nothing waits" in lamo("queue").stderr


def test_a_log_is_followed_until_its_run_ends(root: Path, lamo: Lamo, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _make(root)
    _works(run)
    parts = iter(["one\ntwo\nthr", "ee\nfo", "ur\n"])

    def work(seconds: float) -> None:
        with run.log_file.open("a") as log:
            log.write(next(parts))
        if parts.__length_hint__() == 0:
            _works(run, "finished")

    monkeypatch.setattr("lamo_tui.cli.runs.log.time.sleep", work)
    outcome = lamo("runs", "log", run.id, "--follow")
    assert (outcome.code, outcome.stdout.split()) == (0, ["one", "two", "three", "four"])
    assert lamo("runs", "log", "last", "--lines", "2").stdout.split() == ["three", "four"]
    assert lamo("runs", "log", "last", "--lines", "0").stdout.split() == ["one", "two", "three", "four"]
    assert lamo("runs", "log", "last", "-n", "1", "--json").json == {
        "run": run.id,
        "file": str(run.log_file),
        "lines": ["four"],
    }
    assert lamo("runs", "log", "last", "--follow", "--json").code == 2


def test_a_run_without_a_log_says_so(root: Path, lamo: Lamo) -> None:
    outcome = lamo("runs", "log", _make(root).id)
    assert (outcome.code, outcome.stdout) == (0, "")
    assert "is empty so far" in outcome.stderr


def test_what_a_run_has_not_done_yet_is_left_out(root: Path, lamo: Lamo) -> None:
    shown = lamo("runs", "show", _make(root).id).stdout
    assert "step        0 of " in shown
    assert "steps/s" not in shown


def test_an_unknown_key_is_answered_with_each_key_once(root: Path, lamo: Lamo) -> None:
    keys = lamo("runs", "foo=3").stderr.partition("known: ")[2].split(", ")
    assert len(keys) == len(set(keys)) > 5


def test_one_run_is_one(root: Path, lamo: Lamo) -> None:
    _make(root)
    assert "none of 1 run fits" in lamo("runs", "nothing").stderr
    assert "took 0 runs out of the queue" in lamo("queue", "clear").stderr


def test_a_terminal_shows_the_newest_runs_and_files_all(
    lamo: Lamo, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [_make(root, seed=number).id for number in range(5)]
    monkeypatch.setattr(commands, "_LINES", 3)
    assert len(lamo("runs").stdout.splitlines()) == 6
    assert len(lamo("runs", "list", "-n", "2").stdout.splitlines()) == 3
    assert len(lamo("runs", "list", "--json").json["runs"]) == 5
    monkeypatch.setattr(commands, "in_terminal", lambda: True)
    shown = lamo("runs", "list")
    assert [run_id for run_id in ids if run_id in shown.stdout] == sorted(ids)[2:]
    assert "the newest 3 of 5 runs" in shown.stderr
    assert len(lamo("runs", "list", "--limit", "0").stdout.splitlines()) == 6


def test_many_runs_without_a_result_are_counted(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(13):
        write_status(_make(root, seed=number), Status(state="finished"))
    assert find_records([], [], None) == []
    told = capsys.readouterr().err
    assert told.count("has no final evaluation yet") == 10
    assert told.splitlines()[-1] == "left out: 3 others"
