"""The Atari tasks: the paper's three games, and every other game that ale-py carries."""

from __future__ import annotations

import math
from functools import lru_cache

from lamo_core.config import unknown_key
from lamo_core.tasks.atari_scores import SCORES
from lamo_core.tasks.registry import Task

PREFIX = "atari-"

_MOVES = {
    "breakout": ("noop", "fire", "right", "left"),
    "qbert": ("noop", "fire", "up", "right", "left", "down"),
    "pong": ("noop", "fire", "right", "left", "right+fire", "left+fire"),
}
"""The minimal action sets, in ale-py's order."""


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
    )


ATARI_TASKS = {PREFIX + game: _atari_task(game, moves) for game, moves in _MOVES.items()}
"""The paper's games, for which data ship; their records need no emulator."""


def game_of(task_name: str) -> str:
    """Return ale-py's name of an Atari task's game."""
    return task_name.removeprefix(PREFIX)


@lru_cache
def atari_task(name: str) -> Task:
    """Return the record of any game of ale-py, `atari-seaquest`; loads the emulator. Raises `UsageError`."""
    if name in ATARI_TASKS:
        return ATARI_TASKS[name]
    from ale_py import roms

    games = roms.get_all_rom_ids()
    if game_of(name) not in games:
        raise unknown_key(name, [PREFIX + game for game in sorted(games)], "task")
    return _atari_task(game_of(name), _moves_of(game_of(name)))


def _moves_of(game: str) -> tuple[str, ...]:
    from ale_py import roms

    from lamo_core.tasks.atari_emulator import new_console

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
