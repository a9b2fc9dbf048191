"""Runs of a sweep on a Ray cluster, whose machines share the folder of runs, the data and the Python environment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from typing import Any

from lamo_core.errors import LamoError, MissingError
from lamo_core.install_hint import hint
from lamo_core.runs.directory import RunDirectory
from lamo_core.sweep.engines import working_folder


def _work(command: list[str], folder: str, threads: int) -> int:
    """Run one training process on whatever machine Ray has chosen; returns its exit code."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    return subprocess.run(command, cwd=folder, env=environment, check=False).returncode


class RayEngine:
    """Hands every run to Ray, which starts it where `threads` cores and `gpus` (a share of one) are free."""

    waits = True

    def __init__(
        self, train: Sequence[str], *, address: str | None, jobs: int, threads: int = 1, gpus: float = 0.0
    ) -> None:
        """Join the cluster at `address`, or start one on this machine; raises `MissingError` without Ray."""
        try:
            import ray
        except ImportError as error:
            raise MissingError(f"--engine ray needs Ray; get it with: {hint('ray')}") from error
        self.jobs = jobs
        self._ray: Any = ray
        self._train, self._threads = list(train), threads
        try:
            ray.init(address=address, ignore_reinit_error=True, include_dashboard=False, log_to_driver=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise LamoError(f"no Ray cluster answers at {address or 'this machine'} ({reason})") from error
        self._work = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=0)(_work)
        self._tasks: dict[str, Any] = {}

    def fits(self, memory: int) -> bool:
        """Return True: Ray finds the place."""
        return True

    def start(self, run: RunDirectory, arguments: Sequence[str]) -> str:
        """Hand a run over."""
        task = self._work.remote([*self._train, *arguments], working_folder(), self._threads)
        self._tasks[run.id] = task
        return str(task.hex())

    def alive(self, run: RunDirectory, job: str) -> bool:
        """Return whether Ray still holds the run's task; tasks end with the process that handed them over."""
        task = self._tasks.get(run.id)
        return task is not None and not self._ray.wait([task], timeout=0)[0]

    def close(self) -> None:
        """Leave the cluster."""
        self._ray.shutdown()
