"""What a whole dashboard costs in a terminal: time to the list of runs, processor use idle and watching."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from lamo_core.errors import DeviceError, LamoError
from lamo_core.runs.create import create_run
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.queue.entry import this_host
from lamo_core.runs.status import Status, own_process, write_status
from lamo_core.settings.presets import resolve

_SIZE = (40, 160)
_PATIENCE_S = 60.0
_RECORDS = 300
_OPENINGS = 5
_SETTLED_S = 2.5
"""After so many seconds folders no longer change for sure, and nothing is left to do."""
_START = "import sys; sys.argv[0] = 'lamo'; from lamo_tui.cli.app import main; main()"


@dataclass(frozen=True)
class Opening:
    """What the start of a dashboard takes, medians over several; processor seconds tell more on a busy machine."""

    shown_seconds: float
    """From the start of the process to the newest runs on the screen; Python and Textual need most of it."""
    shown_cpu: float
    listed_seconds: float
    """To all of them."""
    listed_cpu: float


@dataclass(frozen=True)
class SessionCost:
    """What a dashboard over a folder of runs costs."""

    runs: int
    first: Opening
    """Of a folder that was never listed."""
    again: Opening
    """Of one whose ended runs are remembered."""
    idle_cpu: float
    """Processor seconds per second while nothing happens; 1 is one core."""
    watching_cpu: float
    """The same with one run open that writes `records_per_second` records."""
    records_per_second: float


def measure_session(runs: int = 1_000, seconds: float = 10.0, records_per_second: float = 10.0) -> SessionCost:
    """Open `lamo tui` on a temporary folder of made-up runs; raises `LamoError` when it does not come up."""
    with tempfile.TemporaryDirectory(prefix="lamo-benchmark-") as name:
        folder = Path(name)
        newest = make_runs(folder / "runs", runs)
        time.sleep(_SETTLED_S)
        _open(folder, runs)  # leaves the bytecode that an installation has
        first = _median([_open(folder, runs, forget=True) for _ in range(_OPENINGS)])
        again = _median([_open(folder, runs) for _ in range(_OPENINGS)])
        with dashboard(folder) as (process, terminal):
            _read_until(terminal, rf"(?<!of ){runs:,} runs?")
            drain(terminal, 3.0)
            idle = _cpu_share(process, terminal, seconds, None, 1.0)
            os.write(terminal, b"\r")
            drain(terminal, 2.0)
            watching = _cpu_share(process, terminal, seconds, newest, records_per_second)
    return SessionCost(runs, first, again, idle, watching, records_per_second)


def _open(folder: Path, runs: int, *, forget: bool = False) -> Opening:
    if forget:
        shutil.rmtree(folder / "cache", ignore_errors=True)
    with dashboard(folder) as (process, terminal):
        started = time.perf_counter()
        seen = _read_until(terminal, rf"{runs:,} runs?")
        shown, shown_cpu = time.perf_counter() - started, cpu_seconds(process)
        _read_until(terminal, rf"(?<!of ){runs:,} runs?", seen)
        opening = Opening(shown, shown_cpu, time.perf_counter() - started, cpu_seconds(process))
        drain(terminal, _SETTLED_S)  # what is remembered is written by then
    return opening


def _median(openings: Sequence[Opening]) -> Opening:
    return Opening(*(statistics.median(getattr(one, item.name) for one in openings) for item in fields(Opening)))


def make_runs(root: Path, count: int) -> RunDirectory:
    """Make `count` runs with curves; the newest one looks as if this process trained it."""
    resolved = resolve("atari-breakout-1pct", [], None, [], {})
    newest: RunDirectory | None = None
    for _ in range(count):
        newest = create_run(root, resolved.config, resolved.origins, ["lamo", "train"])
        newest.metrics_file.write_text("".join(_record(step) for step in range(1, _RECORDS + 1)), encoding="utf-8")
        write_status(newest, Status(state="finished", step=_RECORDS, total=900, heartbeat=time.time()))
    assert newest is not None
    return newest


def _record(step: int) -> str:
    return json.dumps({"t": time.time(), "step": step, "k": "train", "loss": 1 / step, "grad_norm": 1.0}) + "\n"


def _open_terminal() -> tuple[int, int]:
    """Return both ends of a pseudo-terminal; raises `DeviceError` where a system has none."""
    try:
        import fcntl
        import pty
        import termios
    except ImportError as error:
        raise DeviceError("a dashboard is measured in a pseudo-terminal, which this system does not have") from error
    terminal, inner = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *_SIZE, 0, 0))
    return terminal, inner


@contextmanager
def dashboard(folder: Path, *words: str) -> Iterator[tuple[int, int]]:
    """Run `lamo tui` on the folder `runs` in a folder; yields its process and the terminal's other end."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LAMO_RUNS": str(folder / "runs"),
        "LAMO_CACHE": str(folder / "cache"),
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        "XDG_CONFIG_HOME": str(folder),
        "XDG_STATE_HOME": str(folder),
    }
    terminal, inner = _open_terminal()
    # not by pty.fork, as NumPy has threads by now, of which a forked copy would have the locks alone
    process = subprocess.Popen(
        [sys.executable, "-c", _START, "tui", *words],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        env=environment,
        start_new_session=True,
    )
    os.close(inner)
    try:
        yield process.pid, terminal
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def _read_until(terminal: int, pattern: str, seen: str = "") -> str:
    end = time.perf_counter() + _PATIENCE_S
    while not re.search(pattern, seen):
        if time.perf_counter() > end:
            raise LamoError(f"the dashboard did not show its runs within {_PATIENCE_S:g} s")
        seen = (seen + _read(terminal, 0.05).decode(errors="replace"))[-100_000:]
    return seen


def drain(terminal: int, seconds: float) -> None:
    """Take what a dashboard draws for so long, as a terminal does."""
    end = time.perf_counter() + seconds
    while (left := end - time.perf_counter()) > 0:
        _read(terminal, left)


def _read(terminal: int, seconds: float) -> bytes:
    if not select.select([terminal], [], [], seconds)[0]:
        return b""
    try:
        return os.read(terminal, 65_536)
    except OSError as error:  # the process has ended
        raise LamoError("the dashboard ended by itself; try `lamo tui`") from error


def _cpu_share(process: int, terminal: int, seconds: float, run: RunDirectory | None, per_second: float) -> float:
    """Return processor seconds per second of a process, while `run` gets new records."""
    before, started, step = cpu_seconds(process), time.perf_counter(), _RECORDS
    while (passed := time.perf_counter() - started) < seconds:
        if run is not None:
            step += 1
            if (step - _RECORDS) % max(1, round(per_second)) == 1:
                _seem_to_run(run, step, per_second)
            with run.metrics_file.open("a", encoding="utf-8") as file:
                file.write(_record(step))
        drain(terminal, 1 / per_second)
    return (cpu_seconds(process) - before) / passed


def _seem_to_run(run: RunDirectory, step: int, rate: float) -> None:
    pid, started = own_process()
    told = Status("running", pid, started, this_host(), step, 100_000, "training", rate=rate, heartbeat=time.time())
    write_status(run, told)


def cpu_seconds(process: int) -> float:
    """Return the processor seconds that a process has taken so far."""
    import psutil

    times = psutil.Process(process).cpu_times()
    return float(times.user + times.system)
