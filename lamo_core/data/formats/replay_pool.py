"""Brings episodes of an action log back into the cache, several at a time, each in its own process."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from lamo_core.data.formats.action_log import ActionLog
from lamo_core.data.formats.replay_worker import ReplayJob
from lamo_core.errors import DamagedDataError, LamoError, MissingError, StorageError
from lamo_core.untrusted.parsing import parse_json

Progress = Callable[[str, int, int], None]
"""Called with a stage, how much of it is done, and how much there is."""

STAGE = "replaying the episodes"
_ERRORS: dict[str, type[LamoError]] = {kind.__name__: kind for kind in (DamagedDataError, MissingError, StorageError)}


def replay_episodes(
    log: ActionLog, episodes: Sequence[int], path_of: Callable[[int], Path], progress: Progress | None = None
) -> None:
    """Write the frame files of `episodes`; raises `DataError` naming an episode that does not come back.

    Files appear one by one, each whole, so a killed replay goes on where it stopped.
    """
    # The longest first, so that no worker is left with a long one at the end.
    queue = sorted(episodes, key=lambda episode: int(log.lengths[episode]))
    counter = _Counter(progress, int(sum(log.lengths[episode] for episode in episodes)))
    workers = max(1, min(len(queue), _cores()))
    stop = threading.Event()
    with ThreadPoolExecutor(workers) as pool:
        lines = [pool.submit(_serve, log, queue, path_of, counter, stop) for _ in range(workers)]
        try:
            for line in lines:
                line.result()
        finally:
            stop.set()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Counter:
    """Adds up the progress of several workers."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0
        self._lock = threading.Lock()

    def add(self, steps: int) -> None:
        with self._lock:
            self._done += steps
            if self._progress is not None:
                self._progress(STAGE, self._done, self._total)


def _serve(
    log: ActionLog,
    queue: list[int],
    path_of: Callable[[int], Path],
    counter: _Counter,
    stop: threading.Event,
) -> None:
    # Popping from a list is one step for all threads.
    with _worker() as process:
        try:
            while queue and not stop.is_set():
                with contextlib.suppress(IndexError):
                    episode = queue.pop()
                    _run(process, _job(log, episode, path_of(episode)), counter, stop)
        except Exception:
            stop.set()
            raise


@contextlib.contextmanager
def _worker() -> Iterator[subprocess.Popen[str]]:
    # Not multiprocessing: that would import the caller's main module again, and torch with it.
    package_root = str(Path(__file__).parents[3])
    paths = [package_root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "lamo_core.data.formats.replay_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _run(process: subprocess.Popen[str], job: ReplayJob, counter: _Counter, stop: threading.Event) -> None:
    stdin, stdout = _pipes(process)
    length = len(base64.b64decode(job.actions))
    done = 0
    try:
        stdin.write(job.line())
        stdin.flush()
        while not stop.is_set():
            line = stdout.readline()
            message = parse_json(line) if line.endswith("\n") else {}
            if "progress" in message:
                counter.add(message["progress"] - done)
                done = message["progress"]
            elif "finished" in message:
                counter.add(length - done)
                return
            elif "error" in message:
                raise _ERRORS.get(message["error"], LamoError)(*message["arguments"])
            else:
                raise LamoError(_died(job))
    except BrokenPipeError as error:
        raise LamoError(_died(job)) from error


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the worker was started without pipes")
    return process.stdin, process.stdout


def _died(job: ReplayJob) -> str:
    return f"the process that replayed episode {job.episode} of {job.set_name} ended; run again to go on from there"


def _job(log: ActionLog, episode: int, path: Path) -> ReplayJob:
    row = log.table[episode]
    return ReplayJob(
        set_name=log.header.name,
        episode=episode,
        game=log.header.game,
        sticky_actions=log.header.sticky_actions,
        frame_skip=log.header.frame_skip,
        seed=int(row["seed"]),
        noops=int(row["noops"]),
        actions=base64.b64encode(log.episode_actions(episode).tobytes()).decode(),
        terminated=bool(row["terminated"]),
        rewards_crc32=int(row["rewards_crc32"]),
        frames_sha256=row["frames_sha256"].tobytes().hex(),
        path=str(path),
    )
