"""Runs of a sweep as Slurm jobs, through submitit; the machines share the folder of runs and the environment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lamo_core.errors import LamoError, MissingError
from lamo_core.install_hint import hint
from lamo_core.runs.directory import RunDirectory
from lamo_core.sweep.engines import working_folder


def _work(command: list[str], folder: str) -> int:
    """Run one training process within the job; returns its exit code."""
    return subprocess.run(command, cwd=folder, env=dict(os.environ), check=False).returncode


class SlurmEngine:
    """One job per run; Slurm decides when and where. `cluster="local"` makes processes of this machine instead."""

    waits = True

    def __init__(
        self,
        train: Sequence[str],
        folder: Path,
        *,
        jobs: int,
        parameters: Mapping[str, str | int] | None = None,
        cluster: str | None = None,
    ) -> None:
        """`parameters` are submitit's, such as `timeout_min` or `slurm_partition`.

        Raises `MissingError` without submitit, `LamoError` for parameters that it does not know.
        """
        try:
            import submitit
        except ImportError as error:
            raise MissingError(f"--engine slurm needs submitit; get it with: {hint('slurm')}") from error
        self.jobs = jobs
        self._train = list(train)
        self._folder, self._cluster = folder, cluster
        self._submitit: Any = submitit
        self._held: dict[str, Any] = {}
        try:
            self._executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
            self._executor.update_parameters(name="lamo", **(parameters or {}))
        except (RuntimeError, NameError, ValueError, TypeError) as error:
            raise LamoError(f"submitit does not work here: {str(error).strip().splitlines()[0]}") from error

    def fits(self, memory: int) -> bool:
        """Return True: Slurm finds the place."""
        return True

    def start(self, run: RunDirectory, arguments: Sequence[str]) -> str:
        """Submit a job."""
        job = self._executor.submit(_work, [*self._train, *arguments], working_folder())
        self._held[run.id] = job
        return str(job.job_id)

    def alive(self, run: RunDirectory, job: str) -> bool:
        """Return whether the job waits or works; one of an earlier process is asked for by its number."""
        held = self._held.get(run.id)
        if held is None and job and self._cluster is None:
            held = self._held[run.id] = self._submitit.SlurmJob(folder=self._folder, job_id=job)
        return held is not None and not held.done()

    def close(self) -> None:
        """Jobs go on."""
