"""The Atari tasks. Reference scores: random play and a human professional, as in the LaMo paper's table 5."""

from __future__ import annotations

from lamo_core.tasks.registry import Task

_MOVES = {
    "breakout": ("noop", "fire", "right", "left"),
    "qbert": ("noop", "fire", "up", "right", "left", "down"),
    "pong": ("noop", "fire", "right", "left", "right+fire", "left+fire"),
}
"""The minimal action sets, in ale-py's order."""

_SCORES = {"breakout": (1.7, 31.8), "qbert": (163.9, 13_455.0), "pong": (-20.7, 9.3)}


def _atari_task(game: str) -> Task:
    return Task(
        name=f"atari-{game}",
        title=game.capitalize(),
        observation="frames",
        observation_shape=(84, 84),
        action_kind="discrete",
        actions=len(_MOVES[game]),
        action_names=_MOVES[game],
        random_score=_SCORES[game][0],
        expert_score=_SCORES[game][1],
        default_set=f"{game}-medium",
    )


ATARI_TASKS = {task.name: task for task in (_atari_task(game) for game in _MOVES)}


def game_of(task_name: str) -> str:
    """Return ale-py's name of an Atari task's game."""
    return task_name.removeprefix("atari-")
