"""The Atari tasks: the paper's three games, and every other game that ale-py carries."""

from __future__ import annotations

import math
from functools import lru_cache

from lamo_core.config import TaskConfig, unknown_key
from lamo_core.tasks.atari.atari_scores import SCORES
from lamo_core.tasks.environment import EnvBatch, RenderedEnv
from lamo_core.tasks.task import Simulation, Task

PREFIX = "atari-"

_MOVES = {
    "breakout": ("noop", "fire", "right", "left"),
    "qbert": ("noop", "fire", "up", "right", "left", "down"),
    "pong": ("noop", "fire", "right", "left", "right+fire", "left+fire"),
}
"""The minimal action sets, in ale-py's order."""


def _batch(config: TaskConfig, task: Task, size: int) -> EnvBatch:
    from lamo_core.tasks.atari.atari_batch import AtariBatch

    return AtariBatch(config, task, size)


def _rendered(config: TaskConfig, task: Task, height: int, pretty: bool) -> RenderedEnv:
    from lamo_core.tasks.rendering.atari import RenderedAtari

    return RenderedAtari(config, task)


_SIMULATION = Simulation(batch=_batch, rendered=_rendered)


def _atari_task(game: str, moves: tuple[str, ...]) -> Task:
    random_score, expert_score = SCORES.get(game, (math.nan, math.nan))
    return Task(
        name=PREFIX + game,
        title=game.replace("_", " ").title().replace("Ms ", "Ms. "),
        observation="frames",
        observation_shape=(84, 84),
        action_kind="discrete",
        actions=len(moves),
        action_names=moves,
        random_score=random_score,
        expert_score=expert_score,
        simulation=_SIMULATION,
    )


ATARI_TASKS = {PREFIX + game: _atari_task(game, moves) for game, moves in _MOVES.items()}
"""The paper's games, for which data ship; their records need no emulator."""


@lru_cache
def atari_task(name: str) -> Task:
    """Return the record of any game of ale-py, `atari-seaquest`; loads the emulator. Raises `UsageError`."""
    if name in ATARI_TASKS:
        return ATARI_TASKS[name]
    from ale_py import roms

    games = roms.get_all_rom_ids()
    game = name.removeprefix(PREFIX)
    if game not in games:
        raise unknown_key(name, [PREFIX + known for known in sorted(games)], "task")
    return _atari_task(game, _moves_of(game))


def _moves_of(game: str) -> tuple[str, ...]:
    from ale_py import roms

    from lamo_core.tasks.atari.atari_emulator import new_console

    console = new_console(game, 0.0)
    console.loadROM(roms.get_rom_path(game))
    return tuple(_move_name(str(action.name)) for action in console.getMinimalActionSet())


def _move_name(name: str) -> str:
    """Return `up+right+fire` for ale-py's UPRIGHTFIRE."""
    parts, rest = [], name.lower()
    while rest:
        part = next((part for part in ("noop", "up", "down", "right", "left", "fire") if rest.startswith(part)), rest)
        parts.append(part)
        rest = rest.removeprefix(part)
    return "+".join(parts)
