"""Plays a recipe's episodes one after another, saves each at once, and packs a finished set into a file and its card.

A collection that was killed goes on where it stopped, because an episode follows from its seed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.collect.recorded_vectors import VectorEpisode, load_vectors, save_vectors
from lamo_core.data.formats.card import histogram, summary
from lamo_core.data.formats.vector_file import SUFFIX, VectorHeader, VectorSet, write_vectors
from lamo_core.data.publishing import publish
from lamo_core.data.recipes.vector_recipes import Player, VectorRecipe
from lamo_core.data.store.cards import form_of
from lamo_core.errors import DamagedDataError, MissingError
from lamo_core.tasks.registry import get_task

LICENCE = "MIT, as lamo itself: the trajectories were made by this project"


def collect_vectors(
    recipe: VectorRecipe, player: Player, folder: Path, *, transitions: int = 0, episodes: int = 0
) -> Iterator[VectorEpisode]:
    """Yield the kept episodes of the recipe's seeds in order, saved ones of before included, until there are enough.

    `transitions` or `episodes` (the recipe's, when both are 0) says how many. Raises `StorageError`, `DataError`.
    """
    if not transitions and not episodes:
        transitions, episodes = recipe.transitions, recipe.episodes
    steps = kept = 0
    seed = recipe.first_seed
    while steps < transitions or kept < episodes:
        episode = load_vectors(folder, seed)
        if episode is None:
            episode = player.play(seed)
            save_vectors(folder, episode)
        seed += 1
        if player.keeps(episode):
            steps, kept = steps + len(episode.rewards), kept + 1
            yield episode


def pack_vectors(recipe: VectorRecipe, episodes: list[VectorEpisode], out: Path) -> dict[str, Any]:
    """Write `out`/<set>.lamovec and its card, and return the card; raises `MissingError` without episodes."""
    origin = SetOrigin(
        name=recipe.name,
        task=recipe.task,
        source=recipe.source,
        how=recipe.how,
        first_seed=recipe.first_seed,
        command=_command(recipe, sum(len(episode.rewards) for episode in episodes)),
        simulator=f"mujoco {version('mujoco')}",
        licence=LICENCE,
        resolution=recipe.resolution,
    )
    return write_vector_set(origin, episodes, out)


@dataclass(frozen=True)
class SetOrigin:
    """Where a set comes from, for its header and its card."""

    name: str
    task: str
    source: str
    """Who acted."""
    how: str
    first_seed: int
    command: str
    simulator: str
    licence: str
    resolution: Callable[[], NDArray[np.float64]] | None = None
    """Observations are rounded to multiples of these powers of two (O,)."""


def write_vector_set(origin: SetOrigin, episodes: list[VectorEpisode], out: Path) -> dict[str, Any]:
    """Write `out`/<name>.lamovec and its card, and return the card.

    Raises `MissingError` without episodes, `DamagedDataError` for one that could not be trained on, `StorageError`.
    """
    if not episodes:
        raise MissingError(f"there are no episodes of {origin.name} to pack; collect some first")
    for episode in episodes:
        if not all(np.isfinite(numbers).all() for numbers in (episode.observations, episode.actions, episode.rewards)):
            what = f"the episode of seed {episode.seed} holds numbers that are not finite, so no set was written"
            raise DamagedDataError(what, f"collect {origin.name} again")
    content = _joined(origin, episodes)
    return publish(
        out / f"{origin.name}{SUFFIX}",
        lambda path: write_vectors(path, content),
        lambda digest, size: _card(origin, content, digest, size),
    )


def _joined(origin: SetOrigin, episodes: list[VectorEpisode]) -> VectorSet:
    names = tuple(sorted({episode.policy for episode in episodes}))
    observations = np.concatenate([episode.observations for episode in episodes])
    if origin.resolution is not None:
        steps = origin.resolution()
        observations = (np.round(observations / steps) * steps).astype(np.float32)
    actions = np.concatenate([episode.actions for episode in episodes])
    header = VectorHeader(
        name=origin.name,
        task=origin.task,
        episodes=len(episodes),
        steps=len(actions),
        features=observations.shape[1],
        actions=get_task(origin.task).actions,
        policies=names,
        simulator=origin.simulator,
        discrete=actions.ndim == 1,
    )
    return VectorSet(
        header=header,
        lengths=np.array([len(episode.rewards) for episode in episodes], np.int64),
        seeds=np.array([episode.seed for episode in episodes], np.int64),
        terminated=np.array([episode.terminated for episode in episodes]),
        policies=np.array([names.index(episode.policy) for episode in episodes], np.int64),
        noise=np.array([episode.noise for episode in episodes], np.float32),
        # Adding zero turns -0 into 0, which rounding makes of small negative numbers.
        observations=observations + np.float32(0),
        actions=actions,
        rewards=np.concatenate([episode.rewards for episode in episodes]),
    )


def _card(origin: SetOrigin, content: VectorSet, digest: str, size: int) -> dict[str, Any]:
    returns, task = content.returns, get_task(origin.task)
    return {
        "name": origin.name,
        "task": origin.task,
        "observation": "vector",
        "episodes": len(content.lengths),
        "transitions": len(content.rewards),
        "time_outs": int((~content.terminated).sum()),
        "returns": summary(returns),
        "lengths": summary(content.lengths.astype(float)),
        "histogram": histogram(returns),
        "policies": [
            {
                "name": name,
                "episodes": int((content.policies == index).sum()),
                "noise": [round(float(value), 4) for value in _range(content.noise[content.policies == index])],
                "returns": summary(returns[content.policies == index]),
            }
            for index, name in enumerate(content.header.policies)
        ],
        "collection": {
            "simulator": content.header.simulator,
            "how": origin.how,
            "first_seed": origin.first_seed,
            "command": origin.command,
        },
        "licence": origin.licence,
        "behaviour_sources": [origin.source],
        "log_sha256": digest,
        "log_bytes": size,
        **form_of(task.bounds, task.parts),
    }


def _command(recipe: VectorRecipe, transitions: int) -> str:
    policies = " --policies FOLDER" if recipe.needs_policies else ""
    return f"lamo data collect {recipe.name}{policies} --out FOLDER --transitions {transitions}"


def _range(values: NDArray[np.float32]) -> tuple[float, float]:
    return float(values.min()), float(values.max())
