"""Where a sweep works, as its options say, and how that is handed on to a process in the background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lamo_core.errors import UsageError
from lamo_core.sweep.engines import Engine, LocalEngine, Slot, local_slots
from lamo_core.sweep.folder import SweepFolder
from lamo_core.sweep.plan import Plan
from lamo_core.sweep.ray_engine import RayEngine
from lamo_core.sweep.scheduler import look
from lamo_core.sweep.slurm_engine import SlurmEngine
from lamo_tui.train_process import TRAIN


@dataclass(frozen=True)
class EngineOptions:
    """The options of `lamo sweep` that choose an engine."""

    kind: str
    """local, ray or slurm."""
    jobs: int | None
    address: str | None
    gpus: float
    threads: int
    slurm: tuple[str, ...]

    def words(self) -> list[str]:
        """Return the same options for another command line."""
        words = ["--engine", self.kind, "--gpus", str(self.gpus), "--threads", str(self.threads)]
        words += ["--jobs", str(self.jobs)] if self.jobs else []
        words += ["--address", self.address] if self.address else []
        return words + [word for parameter in self.slurm for word in ("--slurm", parameter)]

    def slots(self, plan: Plan) -> list[Slot]:
        """Return the places on this machine; none for an engine that works elsewhere, or with nothing to do."""
        if self.kind != "local" or not plan.open:
            return []
        return local_slots(plan.grid.device, max(run.room for run in plan.open), len(plan.open), self.jobs)

    def make(self, folder: SweepFolder, plan: Plan, slots: Sequence[Slot]) -> Engine:
        """Return the engine; raises `MissingError` when its package is not there."""
        most = self.jobs or max(1, len(plan.open))
        if self.kind == "ray":
            return RayEngine(TRAIN, address=self.address, jobs=most, threads=self.threads, gpus=self.gpus)
        if self.kind == "slurm":
            parameters = dict(map(_parameter, self.slurm))
            cluster = parameters.pop("cluster", None)
            named = None if cluster is None else str(cluster)
            return SlurmEngine(TRAIN, folder.path / "slurm", jobs=most, parameters=parameters, cluster=named)
        working = [folder.run(view.record.run) for view in look(folder, plan) if view.state == "working"]
        return LocalEngine(slots, TRAIN, working)


def _parameter(text: str) -> tuple[str, str | int]:
    key, sign, value = text.partition("=")
    if not sign:
        raise UsageError(f"--slurm wants KEY=VALUE, such as timeout_min=240, not {text!r}")
    return key.strip(), int(value) if value.strip().isdecimal() else value.strip()
