"""Every command, found in the program: its help, and what it prints with `--json` where PyTorch does not load."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lamo_core.config import RunConfig
from lamo_core.runs.create import create_run
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.queue.entry import this_host
from lamo_core.runs.records import encode
from lamo_core.runs.status import Status, own_process, process_start, write_status
from lamo_core.sweep.folder import find_sweep, new_folder
from lamo_core.sweep.grid import Grid
from lamo_core.sweep.plan import make_plan, write_plan
from lamo_tui.benchmarks.recipes import RecipeResult
from lamo_tui.benchmarks.session import Opening, SessionCost
from lamo_tui.benchmarks.tui import Row
from lamo_tui.benchmarks.watched import WatchCost
from lamo_tui.cli.app import main
from lamo_tui.cli.commands import COMMANDS, load
from tests.runs.run_doubles import record
from tests.tui.replaying import make_record

MISSING = 3
"""The exit code where data, a model or a library is missing."""
TORCH = "No module named 'torch'"
WORKS = "import sys, time; held = open(sys.argv[1], 'a'); print('ready', flush=True); time.sleep(600)"
"""A process that provably works on a sweep, whose lock it keeps open."""


def every_command() -> Iterator[tuple[str, Any]]:
    """Yield the words of every command and group, and the command."""

    def below(words: str, command: Any) -> Iterator[tuple[str, Any]]:
        yield words, command
        for name, part in getattr(command, "commands", {}).items():
            yield from below(f"{words} {name}", part)

    for name in COMMANDS:
        yield from below(name, load(name))


WITH_JSON = {words for words, command in every_command() if any("--json" in option.opts for option in command.params)}


@dataclass(frozen=True)
class Outcome:
    """What a command printed, and how it ended."""

    code: int
    stdout: str
    stderr: str


Lamo = Callable[[str], Outcome]


@pytest.fixture
def lamo(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Lamo:
    """Run a command line in this process, from the program's own entry to its exit code."""

    def run(line: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["lamo", *shlex.split(line)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Outcome(int(end.value.code or 0), *capsys.readouterr())

    return run


@pytest.mark.parametrize("words", ["", *(words for words, _ in every_command())])
def test_every_command_has_help(words: str, lamo: Lamo) -> None:
    outcome = lamo(f"{words} --help")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.stdout.startswith(f"Usage: {' '.join(['lamo', *words.split()])} [OPTIONS]")


def test_the_version_is_told(lamo: Lamo) -> None:
    assert lamo("--version").stdout.startswith("lamo ")


@dataclass(frozen=True)
class Call:
    """A command line, how it ends with `--json`, what its sentence says if that is not well, and what comes before."""

    line: str
    code: int = 0
    says: str = ""
    first: str = ""


GRID = Grid((("atari-breakout", (0.01,)),))
CALLS: dict[str, Call] = {
    "train": Call("train --preset atari-breakout-1pct --dry-run"),
    "sweep": Call("sweep --tasks breakout --ratios 1% --dry-run"),
    "sweep status": Call("sweep status"),
    "sweep stop": Call("sweep stop grid"),
    "queue": Call("queue"),
    "queue start": Call("queue start"),
    "queue clear": Call("queue clear"),
    "stop": Call("stop works"),
    "pause": Call("pause works"),
    "resume": Call("resume works"),
    "replay": Call("replay episode.npz --save copy.cast --decisions 3"),
    "runs list": Call("runs"),
    "runs show": Call("runs show first"),
    "runs diff": Call("runs diff first second"),
    "runs rm": Call("runs rm first --yes"),
    "runs set": Call("runs set works eval.every=200"),
    "runs save": Call("runs save works"),
    "runs eval": Call("runs eval works"),
    "runs pack": Call("runs pack first --out packed"),
    "runs log": Call("runs log first"),
    "runs demo": Call("runs demo"),
    "runs mirror": Call("runs mirror first --to tensorboard", MISSING, "tensorboard"),
    "export": Call("export policy.pt --out exported", MISSING, TORCH),
    "push": Call("push first me/policy", MISSING, TORCH),
    "eval": Call("eval policy.pt", MISSING, TORCH),
    "report": Call("report"),
    "matrix": Call("matrix"),
    "analyse": Call("analyse policy.pt", MISSING, TORCH),
    "presets": Call("presets"),
    "presets show": Call("presets show atari-breakout-1pct"),
    "data list": Call("data list"),
    "data show": Call("data show breakout-medium"),
    "data get": Call("data get hopper-medium"),
    "data import": Call("data import tiny.hdf5 --name tiny --task mujoco-hopper"),
    "data export": Call("data export hopper-medium --out exported --ratio 0.1%"),
    "data collect": Call("data collect atari-breakout --policy random --transitions 50", MISSING, TORCH),
    "data returns": Call("data returns mujoco-hopper-1pct", MISSING, TORCH),
    "data verify": Call("data verify hopper-medium"),
    "data rm": Call("data rm tiny", first="data import tiny.hdf5 --name tiny --task mujoco-hopper"),
    "lm list": Call("lm list"),
    "lm show": Call("lm show mini"),
    "lm get": Call("lm get gpt2", MISSING, "check the name and the network"),
    "lm import": Call("lm import other", 2, "only smollm2-135m is imported"),
    "lm measure": Call("lm measure mini words.txt", MISSING, TORCH),
    "lm card": Call("lm card models --test words.txt", MISSING, TORCH),
    "lm pack": Call("lm pack mini packed", MISSING, TORCH),
    "pretrain": Call("pretrain words.txt --out model", MISSING, TORCH),
    "settings": Call("settings"),
    "settings set": Call("settings set theme nord"),
    "settings unset": Call("settings unset theme"),
    "doctor": Call("doctor", 1),
    "benchmark acting": Call("benchmark acting", MISSING, TORCH),
    "benchmark step": Call("benchmark step", MISSING, TORCH),
    "benchmark tui": Call("benchmark tui"),
    "benchmark recipes": Call("benchmark recipes --only atari-pong-100pct"),
}
"""Every command that takes `--json`. What plays, learns or measures ends at PyTorch, in one sentence."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make what the commands work with: runs, one that works, a sweep, an episode, files of other programs."""
    folder = tmp_path_factory.mktemp("kept")
    for name in ("first", "second"):
        settings = {"name": name, "seed": len(name)}
        run = create_run(folder / "runs", RunConfig.from_dict(settings), {"seed": "--set"}, ["lamo", "train"])
        record(run, [1.0, 2.0])
    _claim(create_run(folder / "runs", RunConfig.from_dict({"name": "works"}), {}, ["lamo", "train"]))
    make_record(folder / "episode.npz", 20)
    (folder / "policy.pt").write_bytes(b"PK")
    (folder / "words.txt").write_text("words of a text\n" * 100)
    _write_hdf5(folder / "tiny.hdf5")
    write_plan(new_folder("grid", ["breakout"], folder / "runs"), make_plan("grid", GRID, []))
    return folder


@pytest.fixture
def made(kept: Path, places: Path) -> Path:
    """Put a copy of it into the working folder."""
    return Path(shutil.copytree(kept, places, dirs_exist_ok=True))


def _claim(run: RunDirectory) -> None:
    pid, started = own_process()
    write_status(run, Status("running", pid=pid, pid_started=started, host=this_host(), heartbeat=time.time()))


@contextmanager
def _working(root: Path) -> Iterator[None]:
    """Let another process work on the sweep, which only waits for its end."""
    folder = find_sweep("grid", root)
    command = [sys.executable, "-c", WORKS, str(folder.lock_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as waiting:
        try:
            assert waiting.stdout is not None
            assert waiting.stdout.readline()
            note = {"pid": waiting.pid, "pid_started": process_start(waiting.pid), "host": this_host()}
            folder.worker_file.write_text(encode(note))
            yield
        finally:
            waiting.kill()


def _write_hdf5(path: Path) -> None:
    rng, count = np.random.default_rng(0), 40
    with h5py.File(path, "w") as file:
        file["observations"] = rng.normal(size=(count, 11)).astype(np.float32)
        file["actions"] = rng.uniform(-0.9, 0.9, (count, 3)).astype(np.float32)
        file["rewards"] = np.ones(count, np.float32)
        file["terminals"] = np.arange(count) % 20 == 19
        file["timeouts"] = np.zeros(count, bool)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what measures for minutes or starts programs; what becomes of the figures is tried."""
    opening = Opening(0.5, 0.4, 0.6, 0.5)
    session = SessionCost(5, opening, opening, 0.01, 0.02, 10.0)
    watched = WatchCost(3, 5.0, 2.0, 0.99, 0.98, 1.0, 0.02)
    recipe = RecipeResult("atari-pong-100pct", True, 1.0)
    made: dict[str, Any] = {
        "benchmarks.tui.measure_tui": lambda: [Row("chart", 1.0, 2.0)],
        "benchmarks.replay_frames.measure_replay": lambda rounds: [Row("replay", 1.0, 2.0, 300.0)],
        "cli.benchmark.measure_session": lambda runs: session,
        "cli.benchmark.measure_watched": lambda runs: watched,
        "cli.benchmark.run_recipes": lambda presets, plan, report, out: [recipe],
    }
    for name, answer in made.items():
        monkeypatch.setattr(f"lamo_tui.{name}", answer)


def test_how_every_command_with_json_is_called_is_known() -> None:
    assert set(CALLS) == WITH_JSON


@pytest.mark.parametrize("words", CALLS)
def test_every_command_prints_one_object_with_json(words: str, lamo: Lamo, made: Path) -> None:
    call = CALLS[words]
    if call.first:
        assert lamo(call.first).code == 0
    with _working(made / "runs") if words == "sweep stop" else nullcontext():
        outcome = lamo(f"{call.line} --json")
    assert outcome.code == call.code, outcome.stderr
    if call.says:
        assert outcome.stdout == ""
        assert outcome.stderr.splitlines()[-1].startswith("lamo: ")
        assert call.says in outcome.stderr
    else:
        assert isinstance(json.loads(outcome.stdout), dict)
