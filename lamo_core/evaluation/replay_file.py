"""A recorded episode as a small file: enough to play it again, no pictures and no pickles."""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.config import RunConfig, TaskConfig
from lamo_core.errors import DataError, MissingError, UsageError
from lamo_core.evaluation.rollout_spec import EpisodeResult
from lamo_core.files import write_bytes
from lamo_core.parsing import parse_json
from lamo_core.tasks.registry import get_task

FORMAT = "lamo-replay"
VERSION = 1


@dataclass(frozen=True)
class Replay:
    """An episode with the task that it was played on."""

    task: TaskConfig
    episode: EpisodeResult
    meta: dict[str, str | float]
    """Free facts, such as the run, the step and the context mode."""


def save_replay(path: Path, episode: EpisodeResult, task_config: TaskConfig, meta: dict[str, str | float]) -> None:
    """Write an episode as a compressed `.npz` (about half a byte per decision without probabilities).

    Raises `StorageError`; `path` is either as it was before or the whole new file.
    """
    header = {
        "format": FORMAT,
        "version": VERSION,
        "task": asdict(task_config),
        "meta": meta,
        "target": episode.target,
        "seed": episode.seed,
        "noops": episode.noops,
        "terminated": episode.terminated,
        "truncated": episode.truncated,
    }
    columns: dict[str, NDArray[Any]] = {
        "header": np.frombuffer(json.dumps(header).encode(), np.uint8),
        "actions": episode.actions,
        "rewards": episode.rewards,
        "returns_to_go": episode.returns_to_go,
    }
    if episode.probabilities is not None:
        columns["probabilities"] = episode.probabilities
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **columns)
    write_bytes(path, buffer.getvalue(), elsewhere="LAMO_RUNS=FOLDER")


_MOST_BYTES = 256 * 2**20
_MOST_NOOPS = 1_000
_DAMAGE = (
    OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, ArithmeticError, MemoryError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What a damaged archive, column or header can raise; a header that is nested too deeply is a RuntimeError."""


def _is_sound(episode: EpisodeResult) -> bool:
    """Return whether columns and numbers are of the kind that playing an episode needs."""
    columns = (episode.actions, episode.rewards, episode.returns_to_go)
    chosen = () if episode.probabilities is None else (episode.probabilities,)
    plain = all(column.dtype.kind in "biuf" for column in (*columns, *chosen)) and episode.actions.ndim in (1, 2)
    flat = episode.rewards.ndim == episode.returns_to_go.ndim == 1
    whole = episode.actions.ndim == 2 or episode.actions.dtype.kind in "iu"
    numbers = 0 <= episode.noops <= _MOST_NOOPS and 0 <= episode.seed < 2**32
    finite = math.isfinite(episode.target) and bool(np.isfinite(episode.actions).all())
    return plain and flat and whole and numbers and finite


def _fits(actions: NDArray[Any], task_name: str) -> bool:
    """Return whether these are actions of the task; raises `UsageError` and `MissingError` as `get_task` does."""
    if task_name.startswith("gym:"):  # whoever only lists files makes no environment; playing it tells
        return True
    task = get_task(task_name)
    if task.action_kind == "discrete":
        return actions.ndim == 1 and bool(((actions >= 0) & (actions < task.actions)).all())
    return actions.ndim == 2 and actions.shape[1] == task.actions


def load_replay(path: Path) -> Replay:
    """Read a file of `save_replay`; raises `UsageError` (no such file) or `DataError` (damaged, foreign)."""
    if not path.is_file():
        raise UsageError(f"there is no replay {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(part.file_size for part in archive.infolist()) > _MOST_BYTES:
                raise DataError(f"{path} says that it unpacks to more than any episode takes; record it again")
        with np.load(path, allow_pickle=False) as columns:
            header = parse_json(columns["header"].tobytes())
            if header["format"] != FORMAT or header["version"] != VERSION:
                raise DataError(f"{path} is not a replay that this lamo reads; record it again")
            rewards = columns["rewards"].astype(np.float64)
            episode = EpisodeResult(
                target=float(header["target"]),
                seed=int(header["seed"]),
                noops=int(header["noops"]),
                actions=columns["actions"],
                rewards=rewards,
                ret=float(rewards.sum()),
                terminated=bool(header["terminated"]),
                truncated=bool(header["truncated"]),
                returns_to_go=columns["returns_to_go"],
                probabilities=columns.get("probabilities"),
            )
            task = RunConfig.from_dict({"task": header["task"]}).task
            replay = Replay(task, episode, dict(header["meta"]))
            if not _is_sound(episode) or not _fits(episode.actions, task.name):
                raise ValueError("a column or a number is none that an episode has")
    except MissingError:
        raise
    except (*_DAMAGE, UsageError) as error:
        raise DataError(f"{path} is damaged or no replay of lamo; record it again") from error
    columns_agree = len(episode.actions) == len(episode.returns_to_go) == episode.length
    if not columns_agree or (episode.probabilities is not None and len(episode.probabilities) != episode.length):
        raise DataError(f"{path} is damaged: its columns have different lengths; record it again")
    return replay
