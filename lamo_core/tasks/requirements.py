"""Requirements of a task: whether the libraries that play it are installed, found out without loading them."""

from __future__ import annotations

from importlib.util import find_spec

from lamo_core.errors import MissingError
from lamo_core.install_hint import hint
from lamo_core.tasks.task import Task


def require_environment(task: Task) -> None:
    """Return when a task can be played here; raises `MissingError` with the command that installs the rest."""
    missing = [module for module in task.simulation.packages if find_spec(module) is None]
    if missing:
        raise MissingError(
            f"{task.title} is played by {' and '.join(missing)}, which is not installed; "
            f"install it with: {hint('mujoco')}"
        )
