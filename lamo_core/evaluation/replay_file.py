"""A recorded episode as a small file: enough to play it again, no pictures and no pickles."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.config import RunConfig, TaskConfig
from lamo_core.data.formats.array_file import Arrays, Form, read_arrays
from lamo_core.errors import DataError, MissingError, UsageError
from lamo_core.evaluation.rollout_spec import EpisodeResult
from lamo_core.files import write_bytes
from lamo_core.tasks.registry import get_task
from lamo_core.untrusted.parsing import parse_json
from lamo_core.untrusted.plain_text import one_line, plain_values

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


_AGAIN = "record it again"
_FORMS = {
    "header": Form("u", (1,)),
    "actions": Form("biuf", (1, 2)),
    "rewards": Form("biuf", (1,)),
    "returns_to_go": Form("biuf", (1,)),
}
_OPTIONAL = {"probabilities": Form("f", (2,))}
_MOST_NOOPS = 1_000
_MOST_FACTS, _LONGEST_FACT = 64, 500
_LARGEST = 1e15
"""Of any number: sums of them stay exact enough to be drawn."""


def load_replay(path: Path) -> Replay:
    """Read a file of `save_replay`; raises `UsageError` (no such file) or `DataError` (damaged, foreign)."""
    if not path.is_file():
        raise UsageError(f"there is no replay {path}")
    columns = read_arrays(path, _AGAIN, _FORMS, _OPTIONAL, "replay of lamo")
    try:
        header = parse_json(columns["header"].tobytes())
        if header["format"] != FORMAT or header["version"] != VERSION:
            raise DataError(f"{path} is not a replay that this lamo reads; {_AGAIN}")
        task = RunConfig.from_dict({"task": header["task"]}).task
        replay = Replay(task, _episode(header, columns), _facts(header["meta"]))
        _check(replay.episode, task.name)
    except MissingError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, UsageError) as error:
        why = f" ({one_line(error)})" if isinstance(error, ValueError) else ""
        raise DataError(f"{path} is damaged or no replay of lamo{why}; {_AGAIN}") from error
    return replay


def _episode(header: Mapping[str, Any], columns: Arrays) -> EpisodeResult:
    rewards = columns["rewards"].astype(np.float64)
    seed, noops = header["seed"], header["noops"]
    if type(seed) is not int or type(noops) is not int:
        raise ValueError("a count is no whole number")
    return EpisodeResult(
        target=_number(header["target"]),
        seed=seed,
        noops=noops,
        actions=columns["actions"],
        rewards=rewards,
        ret=float(rewards.sum()),
        terminated=bool(header["terminated"]),
        truncated=bool(header["truncated"]),
        returns_to_go=columns["returns_to_go"],
        probabilities=columns.get("probabilities"),
    )


def _facts(meta: Any) -> dict[str, str | float]:
    """Return the free facts: few, short, without characters that a terminal interprets, with finite numbers."""
    if not isinstance(meta, dict) or len(meta) > _MOST_FACTS:
        raise ValueError("its facts are none")
    for name, value in meta.items():
        if isinstance(value, str):
            fits = len(value) <= _LONGEST_FACT
        else:
            fits = isinstance(value, int | float) and abs(value) <= _LARGEST  # NaN is not
        if not fits or len(name) > _LONGEST_FACT:
            raise ValueError("a fact is neither a text nor a number")
    return dict(plain_values(meta))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        raise ValueError("a number is none")
    return float(value)


def _check(episode: EpisodeResult, task_name: str) -> None:
    """Raise `ValueError` unless an episode is one that can be played; `UsageError` and `MissingError` for its task."""
    columns = [episode.actions, episode.rewards, episode.returns_to_go]
    columns += [] if episode.probabilities is None else [episode.probabilities]
    if not all(len(column) == episode.length for column in columns):
        raise ValueError("its columns have different lengths")
    if not all(bool((np.abs(column.astype(np.float64)) <= _LARGEST).all()) for column in columns):
        raise ValueError("a number of its columns is none")  # NaN, too
    whole = episode.actions.ndim == 2 or episode.actions.dtype.kind in "iu"
    if not (whole and 0 <= episode.noops <= _MOST_NOOPS and 0 <= episode.seed < 2**32):
        raise ValueError("an action or a count is none that an episode has")
    if not _fits(episode, task_name):
        raise ValueError("its actions are none of its task")


def _fits(episode: EpisodeResult, task_name: str) -> bool:
    """Return whether these are actions of the task; raises `UsageError` and `MissingError` as `get_task` does."""
    if task_name.startswith("gym:"):  # whoever only lists files makes no environment; playing it tells
        return True
    task, actions = get_task(task_name), episode.actions
    if episode.probabilities is not None and episode.probabilities.shape[1] != task.actions:
        return False
    if task.action_kind == "discrete":
        return actions.ndim == 1 and bool(((actions >= 0) & (actions < task.actions)).all())
    return actions.ndim == 2 and actions.shape[1] == task.actions
