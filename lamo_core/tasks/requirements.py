"""Whether the libraries that play a task are installed; found out without loading them."""

from __future__ import annotations

from importlib.util import find_spec

from lamo_core.errors import MissingError, UsageError
from lamo_core.install_hint import hint
from lamo_core.tasks.locomotion import NEWER, NEWER_TASKS
from lamo_core.tasks.registry import get_task

_ROBOTICS = "gymnasium_robotics"


def require_environment(name: str) -> None:
    """Return when task `name` can be played here.

    Raises `MissingError` with the command that installs the rest, `UsageError` for what only reports call a task.
    """
    task = get_task(name)
    if name in NEWER_TASKS:
        raise UsageError(f"choose {name} with --set task.name={name.removesuffix(NEWER)} --set task.version=v5")
    if task.observation == "frames" or name.startswith("gym:"):
        # Any other environment was made just now, to learn what it is like.
        return
    needed = ["mujoco", _ROBOTICS] if name.startswith("kitchen-") else ["mujoco"]
    missing = [module for module in needed if find_spec(module) is None]
    if missing:
        raise MissingError(
            f"{task.title} is played by {' and '.join(missing)}, which is not installed; "
            f"install it with: {hint('mujoco')}"
        )
