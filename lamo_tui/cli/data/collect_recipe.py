"""Data sets that are collected by a recipe: those that ship with lamo, made again or made larger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lamo_core.data.recipes.collect_atari import Collector
from lamo_core.data.recipes.collect_vectors import collect_vectors, pack_vectors
from lamo_core.data.recipes.mixtures import MIXTURES, get_mixture
from lamo_core.data.recipes.pack import pack_set
from lamo_core.data.recipes.vector_recipes import RECIPES, get_recipe
from lamo_core.errors import LamoError, UsageError
from lamo_core.tasks.registry import get_task
from lamo_core.tasks.requirements import require_environment
from lamo_tui.cli.data.collect_task import PACKED
from lamo_tui.cli.output import console
from lamo_tui.cli.progress import progress


def collect_recipe(
    name: str,
    policies: Path,
    out: Path | None,
    transitions: int,
    episodes: int | None,
    shard: str,
    games: int,
    pack: bool,
) -> dict[str, Any]:
    """Collect the set of a recipe, on from where it was stopped, and return what `lamo data collect` tells of it."""
    if episodes is not None and name in MIXTURES:
        raise UsageError(f"the recipe of {name} mixes policies by transitions; give --transitions, not --episodes")
    _refuse_tasks(name)
    if out is None:
        raise UsageError("a recipe needs a folder for its episodes; give --out FOLDER")
    if name in RECIPES:
        return _collect_vectors(name, policies, out, transitions, episodes or 0, pack)
    return _collect_atari(name, policies, out, transitions or 1_000_000, _parse_shard(shard), games, pack)


def _refuse_tasks(name: str) -> None:
    """Say what is missing when a task is named and nobody who plays it."""
    if name in RECIPES or name in MIXTURES:
        return
    known = ", ".join([*MIXTURES, *RECIPES])
    raise UsageError(
        f"there is no recipe to collect {name!r}; to record a task say who plays it, such as --policy random (recipes: "
        f"{known})"
    )


def _collect_atari(
    name: str, policies: Path, out: Path, transitions: int, shard: tuple[int, int], games: int, pack: bool
) -> dict[str, Any]:
    mixture = get_mixture(name)
    collector = Collector(mixture, policies, out / "episodes", shard=shard, slots=games)
    total, episodes = 0, 0
    with progress() as report, _going_on_later(out):
        for episode in collector.collect(transitions):
            total, episodes = total + len(episode.actions), episodes + 1
            report("collecting", min(total, transitions), transitions)
    result: dict[str, Any] = {"set": name, "new_episodes": episodes, "new_transitions": total}
    if pack:
        card = pack_set(mixture, out / "episodes", out, transitions)
        result.update({key: card[key] for key in PACKED})
    return result


def _collect_vectors(
    name: str, policies: Path, out: Path, transitions: int, episodes: int, pack: bool
) -> dict[str, Any]:
    recipe = get_recipe(name)
    require_environment(get_task(recipe.task))
    wanted = 0 if episodes else transitions or recipe.transitions
    kept = []
    total = 0
    played = collect_vectors(
        recipe, recipe.player(policies), out / "episodes", transitions=transitions, episodes=episodes
    )
    with progress() as report, _going_on_later(out):
        for episode in played:
            kept.append(episode)
            total += len(episode.rewards)
            done, goal = (total, wanted) if wanted else (len(kept), episodes or recipe.episodes)
            report("collecting", min(done, goal), goal)
    if not pack:
        return {"set": name, "episodes": len(kept), "transitions": total}
    card = pack_vectors(recipe, kept, out)
    return {"set": name} | {key: card[key] for key in PACKED}


@contextmanager
def _going_on_later(out: Path) -> Iterator[None]:
    """Say what becomes of the episodes of a recipe that an error ends."""
    try:
        yield
    except LamoError:
        console().print(f"whole episodes stay in {out / 'episodes'}; the same command goes on from there", markup=False)
        raise


def _parse_shard(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise UsageError(f"--shard wants I/N with I from 0 to N - 1, such as 0/2, not {text!r}")
    return int(index), int(count)
