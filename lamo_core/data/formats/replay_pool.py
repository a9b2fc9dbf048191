"""Brings episodes of an action log back into the cache, several at a time, each in its own process."""

from __future__ import annotations

import base64
import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from lamo_core.data.formats.action_log import ActionLog
from lamo_core.data.formats.replay_worker import ReplayJob
from lamo_core.errors import LamoError
from lamo_core.workers.jobs import JobWorker, WorkerEnded

Progress = Callable[[str, int, int], None]
"""Called with a stage, how much of it is done, and how much there is."""

STAGE = "replaying the episodes"


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


class _Stopped(Exception):
    """Another worker has failed."""


def _serve(
    log: ActionLog,
    queue: list[int],
    path_of: Callable[[int], Path],
    counter: _Counter,
    stop: threading.Event,
) -> None:
    # Popping from a list is one step for all threads.
    with JobWorker(["lamo_core.data.formats.replay_worker"]) as worker:
        try:
            while queue and not stop.is_set():
                with contextlib.suppress(IndexError):
                    episode = queue.pop()
                    _run(worker, _job(log, episode, path_of(episode)), counter, stop)
        except _Stopped:
            return
        except Exception:
            stop.set()
            raise


def _run(worker: JobWorker, job: ReplayJob, counter: _Counter, stop: threading.Event) -> None:
    length = len(base64.b64decode(job.actions))
    done = 0

    def report(steps: int) -> None:
        nonlocal done
        if stop.is_set():
            raise _Stopped
        counter.add(steps - done)
        done = steps

    try:
        worker.run(asdict(job), report)
    except WorkerEnded as error:
        set_name = f"{job.episode} of {job.set_name}"
        raise LamoError(f"the process that replayed episode {set_name} ended; run again to go on from there") from error
    counter.add(length - done)


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
