"""Experiment trackers: TensorBoard, Weights & Biases, trackio and MLflow, each behind the same four calls."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

from lamo_core.errors import MissingError, UsageError
from lamo_core.exchange.metric_rows import Row
from lamo_core.install_hint import hint
from lamo_core.runs.directory import RunDirectory
from lamo_core.untrusted.regular_file import refuse_linked_folder

PROJECT = "lamo"
"""What trackers file runs under; each has a variable of its own for another one."""

_PATIENCE = 20.0
"""Seconds to wait for a server's first answer."""


@dataclass(frozen=True)
class Mirrored:
    """A run as a tracker knows it."""

    run: RunDirectory
    name: str
    """The run's id; later copies of a run that went back have a number behind it."""
    settings: Mapping[str, Any]
    fresh: bool
    """Whether the tracker is to hold nothing of it yet."""


class Tracker(Protocol):
    """An open run of a tracker."""

    def log(self, rows: Sequence[Row]) -> None:
        """Add rows and see to it that they are kept."""

    def close(self) -> None:
        """Let go of the run."""


class TensorBoard:
    """Event files in the run's own folder `tensorboard`: `tensorboard --logdir RUNS` finds them."""

    def __init__(self, mirrored: Mirrored) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        folder = mirrored.run.path / "tensorboard"
        refuse_linked_folder(folder / "events")
        if mirrored.fresh:
            for old in folder.glob("events.out.tfevents.*"):
                old.unlink()
        folder.mkdir(exist_ok=True)
        self._writer = EventFileWriter(str(folder))

    def log(self, rows: Sequence[Row]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        for row in rows:
            values = [Summary.Value(tag=name, simple_value=value) for name, value in row.values.items()]
            self._writer.add_event(Event(wall_time=row.time, step=row.step, summary=Summary(value=values)))
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """A run of W&B, with the project of WANDB_PROJECT; offline where WANDB_MODE says so."""

    def __init__(self, mirrored: Mirrored) -> None:
        import wandb

        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            id=mirrored.name,
            name=mirrored.name,
            config=dict(mirrored.settings),
            resume="allow",
            settings=wandb.Settings(
                silent=True, console="off", x_disable_stats=True, save_code=False, init_timeout=_PATIENCE
            ),
        )

    def log(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._run.log({**row.values, "_timestamp": row.time}, step=row.step)

    def close(self) -> None:
        self._run.finish()


class Trackio:
    """A run of trackio, on this machine or where TRACKIO_SPACE_ID or TRACKIO_SERVER_URL say."""

    def __init__(self, mirrored: Mirrored) -> None:
        import trackio

        self._run = trackio.init(
            project=os.environ.get("TRACKIO_PROJECT", PROJECT),
            name=mirrored.name,
            config=dict(mirrored.settings),
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def log(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._run.log(dict(row.values), step=row.step)

    def close(self) -> None:
        self._run.finish()


class MLflow:
    """A run of MLflow, at MLFLOW_TRACKING_URI and in the experiment of MLFLOW_EXPERIMENT_NAME."""

    _MOST = 1000
    """Metrics of one request."""

    def __init__(self, mirrored: Mirrored) -> None:
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient()
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        known = self._client.get_experiment_by_name(name)
        experiment = self._client.create_experiment(name) if known is None else known.experiment_id
        wanted = f"tags.`lamo.run` = '{mirrored.name}'"
        found = self._client.search_runs([experiment], wanted, max_results=1)
        if found:
            self._id = found[0].info.run_id
        else:
            tags = {"lamo.run": mirrored.name}
            self._id = self._client.create_run(experiment, run_name=mirrored.name, tags=tags).info.run_id
            for key, value in mirrored.settings.items():
                self._client.log_param(self._id, key, str(value)[:500])

    def log(self, rows: Sequence[Row]) -> None:
        from mlflow.entities import Metric

        metrics = [
            Metric(re.sub(r"[^\w\-. /]", "_", name), value, int(row.time * 1000), row.step)
            for row in rows
            for name, value in row.values.items()
        ]
        for start in range(0, len(metrics), self._MOST):
            self._client.log_batch(self._id, metrics=metrics[start : start + self._MOST])

    def close(self) -> None:
        self._client.set_terminated(self._id)


_KINDS: dict[str, tuple[str, type[Any]]] = {
    "tensorboard": ("tensorboard", TensorBoard),
    "wandb": ("wandb", WeightsAndBiases),
    "trackio": ("trackio", Trackio),
    "mlflow": ("mlflow", MLflow),
}
"""The module that each needs, which is also the name of the extra."""
NAMES = tuple(_KINDS)


def parse_trackers(text: str) -> list[str]:
    """Return the trackers of a list such as `tensorboard,wandb`.

    Raises `UsageError` for one that there is not, `MissingError` for one whose package is not installed.
    """
    wanted = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in wanted if name not in _KINDS]
    if unknown or not wanted:
        raise UsageError(f"there is no tracker {', '.join(unknown) or repr(text)}; choose from {', '.join(NAMES)}")
    missing = [name for name in wanted if find_spec(_KINDS[name][0]) is None]
    if missing:
        raise MissingError(f"{', '.join(missing)} is not installed; install with: {hint(*missing)}")
    return wanted


def open_tracker(name: str, mirrored: Mirrored) -> Tracker:
    """Open a run in a tracker; raises whatever its package raises."""
    tracker: Tracker = _KINDS[name][1](mirrored)
    return tracker
