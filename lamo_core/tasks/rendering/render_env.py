"""Environments with pictures: what replays, videos and live play are made of."""

from __future__ import annotations

from lamo_core.config import TaskConfig
from lamo_core.tasks.environment import RenderedEnv
from lamo_core.tasks.registry import task_of
from lamo_core.tasks.requirements import require_environment


def open_rendered(config: TaskConfig, *, height: int = 180, pretty: bool = False) -> RenderedEnv:
    """Return the configured task as an environment with pictures; loads its library only now.

    `height` is that of simulator pictures in pixels (4:3); Atari pictures are always (210, 160, 3). `pretty` turns
    on shadows, reflections and smooth edges where there are any, which is 10 to 24 times slower. Raises
    `UsageError`, and `MissingError` when the library is not installed.
    """
    task = task_of(config)
    require_environment(task)
    return task.simulation.rendered(config, task, height, pretty)
