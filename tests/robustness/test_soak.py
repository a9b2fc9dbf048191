"""A training, a dashboard on it and the replays that it plays, for a long time: memory and open files stay flat."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from lamo_tui.benchmarks.session import dashboard, drain
from tests.robustness.conftest import Keep

pytestmark = pytest.mark.robustness
_TRAIN = (
    "train", "--preset", "mujoco-reacher2d-10pct", "--device", "cpu", "--set", "model.backbone=random:mini",
    "--set", "optim.steps=1000000", "--set", "optim.batch_size=4", "--set", "optim.micro_batch_size=4",
    "--set", "eval.every=40", "--set", "eval.episodes=2", "--set", "task.max_steps=20", "--set", "checkpoint.every=20",
    "--set", "checkpoint.keep=2",
)  # fmt: skip
_KEYS = (b"P", b" ", b"\x1b", b"1", b"\r", b"\t", b"\t", b"\t", b"4", b"6", b"?", b",", b"\x1b", b"2", b"\x14", b"1")
"""Through the screens: it plays the run's policy, shows all panels of it, and takes another theme."""
_MORE = 1.06, 12 << 20
"""What the last quarter may take of the second one's memory: a share, and bytes."""


@contextmanager
def training(root: Path) -> Iterator[psutil.Process]:
    """Train for as long as the block takes."""
    environment = {**os.environ, "LAMO_RUNS": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "lamo_tui.cli.app", *_TRAIN]
    with (root.parent / "printed.txt").open("wb") as printed:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed)
    try:
        end = time.monotonic() + 900
        while not any(root.glob("*/replays/*.npz")):
            assert process.poll() is None, (root.parent / "printed.txt").read_text()
            assert time.monotonic() < end, "nothing was evaluated"
            time.sleep(0.2)
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


def used(process: psutil.Process) -> tuple[int, int]:
    """Return bytes and open files of a process and of those that it has started."""
    memory = files = 0
    for one in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            memory, files = memory + one.memory_info().rss, files + one.num_fds()
    return memory, files


def test_memory_and_open_files_stay_flat(tmp_path: Path, keep: Keep, pytestconfig: pytest.Config) -> None:
    minutes, root = pytestconfig.getoption("--robustness-minutes"), tmp_path / "runs"
    root.mkdir()
    samples: dict[str, list[tuple[int, int]]] = {"training": [], "dashboard": []}
    with training(root) as trained, dashboard(tmp_path) as (pid, terminal):
        shown, end, keys = psutil.Process(pid), time.monotonic() + 60 * minutes, 0
        drain(terminal, 5)
        while time.monotonic() < end:
            os.write(terminal, _KEYS[keys % len(_KEYS)])
            keys += 1
            drain(terminal, 0.7)
            samples["training"].append(used(trained))
            if keys % len(_KEYS) == 0:  # on the same screen every time
                samples["dashboard"].append(used(shown))
        assert trained.is_running()
        assert shown.is_running()
    counts: dict[str, object] = {"minutes": minutes, "keys": keys, "replays": len(list(root.glob("*/replays/*.npz")))}
    for name, taken in samples.items():
        quarter = max(1, len(taken) // 4)
        before, after = taken[quarter : 2 * quarter] or taken, taken[-quarter:]
        memory = [int(statistics.median(memory for memory, _ in part)) for part in (before, after)]
        files = [max(files for _, files in part) for part in (before, after)]
        counts[name] = {"memory_mib": [one >> 20 for one in memory], "files": files}
        if minutes >= 5:  # before, caches fill
            assert memory[1] <= memory[0] * _MORE[0] + _MORE[1], (name, memory)
        assert files[1] <= files[0] + 3, (name, files)
    keep("soak", f"{minutes:g} minutes", counts)
