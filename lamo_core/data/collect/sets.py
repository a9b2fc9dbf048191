"""Writes recorded episodes of any task as a data set: vectors, or an action log that the emulator plays again."""

from __future__ import annotations

import re
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.config import TaskConfig
from lamo_core.data.collect.recorded_games import RecordedEpisode
from lamo_core.data.collect.recorded_vectors import VectorEpisode
from lamo_core.data.collect.recorders import Episode
from lamo_core.data.formats.action_log import TABLE, LogHeader, write_log
from lamo_core.data.formats.card import histogram, summary
from lamo_core.data.publishing import publish
from lamo_core.data.recipes.collect_vectors import SetOrigin, write_vector_set
from lamo_core.data.recipes.pack import log_record
from lamo_core.data.store.bundled_logs import all_set_names
from lamo_core.errors import MissingError, UsageError
from lamo_core.tasks.registry import get_task

_LICENCE = "that of whoever collected it"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


def set_name(task_name: str, ending: str) -> str:
    """Return the usual name of a set: `cartpole-v1-random` of the task `gym:CartPole-v1`."""
    plain = re.sub(r"[^a-z0-9_.-]+", "-", task_name.removeprefix("gym:").lower()).strip("-.")
    return f"{plain.removeprefix('atari-').removeprefix('mujoco-')}-{ending}"[:64]


def check_name(name: str) -> None:
    """Raise `UsageError` when a new set cannot have this name, before anything is played."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name[:80]!r} cannot name a set; use lowercase letters, digits, dots and dashes with --name")
    if name in all_set_names():
        raise UsageError(f"there is a set {name} already; choose another --name, or delete it with lamo data rm {name}")


def write_set(
    name: str,
    config: TaskConfig,
    episodes: list[Episode],
    out: Path,
    *,
    source: str,
    how: str,
    command: str,
) -> dict[str, Any]:
    """Write a set and its card into the folder `out`, and return the card.

    `source` says who acted, `how` in what way. Raises `MissingError` without episodes, `StorageError`.
    """
    if not episodes:
        raise MissingError("not one episode came to its end; collect more --transitions, or train more --steps")
    vectors = [episode for episode in episodes if isinstance(episode, VectorEpisode)]
    if vectors:
        origin = SetOrigin(
            name=name,
            task=config.name,
            source=source,
            how=how,
            first_seed=min(episode.seed for episode in vectors),
            command=command,
            simulator=_simulator(config.name),
            licence=_LICENCE,
        )
        return write_vector_set(origin, vectors, out)
    games = [episode for episode in episodes if isinstance(episode, RecordedEpisode)]
    return _write_log_set(name, config, games, out, source=source, how=how, command=command)


def _simulator(task_name: str) -> str:
    versions = []
    for library in ("gymnasium", "mujoco"):
        with suppress(PackageNotFoundError):
            versions.append(f"{library} {version(library)}")
    return ", ".join(versions) if task_name.startswith("gym:") else versions[-1]


def _write_log_set(
    name: str,
    config: TaskConfig,
    episodes: list[RecordedEpisode],
    out: Path,
    *,
    source: str,
    how: str,
    command: str,
) -> dict[str, Any]:
    policies = tuple(dict.fromkeys(episode.policy for episode in episodes))
    header = LogHeader(
        name=name,
        game=config.name.removeprefix("atari-"),
        actions=get_task(config.name).actions,
        policies=policies,
        sticky_actions=config.sticky_actions,
        noop_max=config.noop_max,
        max_steps=config.max_steps,
        ale_py=version("ale-py"),
    )
    table = np.array([log_record(episode, policies) for episode in episodes], TABLE)
    actions = np.concatenate([episode.actions for episode in episodes])

    def card_of(digest: str, size: int) -> dict[str, Any]:
        return _log_card(header, table, actions, source, how, command) | {"log_sha256": digest, "log_bytes": size}

    return publish(out / f"{name}.lamolog", lambda path: write_log(path, header, table, actions), card_of)


def _log_card(
    header: LogHeader, table: NDArray[Any], actions: NDArray[np.uint8], source: str, how: str, command: str
) -> dict[str, Any]:
    return {
        **_figures(header, table, actions),
        "collection": {
            "emulator": f"ale-py {header.ale_py}",
            "sticky_actions": header.sticky_actions,
            "frame_skip": header.frame_skip,
            "frames": "84x84 grey, maximum of the two newest screens, area averaged",
            "noop_max": header.noop_max,
            "max_steps": header.max_steps,
            "first_seed": int(table["seed"].min()),
            "how": how,
            "command": command,
        },
        "licence": _LICENCE,
        "behaviour_sources": [source],
    }


def _figures(header: LogHeader, table: NDArray[Any], actions: NDArray[np.uint8]) -> dict[str, Any]:
    returns = table["return"].astype(float)
    return {
        "name": header.name,
        "task": f"atari-{header.game}",
        "episodes": len(table),
        "transitions": len(actions),
        "time_outs": int((table["terminated"] == 0).sum()),
        "returns": summary(returns),
        "lengths": summary(table["length"].astype(float)),
        "histogram": histogram(returns),
        "policies": [
            {
                "name": policy,
                "actions": "sampled",
                "random_actions": [0.0, 0.0],
                "episodes": int((table["policy"] == index).sum()),
                "returns": summary(returns[table["policy"] == index]),
            }
            for index, policy in enumerate(header.policies)
        ],
        "action_counts": np.bincount(actions, minlength=header.actions).tolist(),
    }
