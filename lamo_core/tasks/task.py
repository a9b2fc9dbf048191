"""Task records: what a policy, its environments, their pictures and its scores must know of a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from lamo_core.config import TaskConfig
from lamo_core.tasks.environment import Array, EnvBatch, RenderedEnv
from lamo_core.tasks.rendering.cameras import View, whole_view

PREFIXES = ("atari-", "mujoco-", "gym:")
"""How names of tasks begin that people leave away."""


def no_facts(simulator: Any, observation: Array, earned: float) -> dict[str, float]:
    """Return no facts."""
    return {}


@dataclass(frozen=True)
class Simulation:
    """What plays a family of tasks. Its functions load their libraries when they are called."""

    batch: Callable[[TaskConfig, Task, int], EnvBatch]
    """Makes a batch of so many environments."""
    rendered: Callable[[TaskConfig, Task, int, bool], RenderedEnv]
    """Makes one with pictures, of a height in pixels, with or without shadows."""
    environment: Callable[[TaskConfig], Any] | None = None
    """Makes one Gymnasium environment with vector observations and no time limit; None where there is none."""
    packages: tuple[str, ...] = ()
    """Modules that it needs and that do not come with lamo."""
    threads: bool = False
    """Whether a step is long enough, and free enough of the interpreter's lock, to be worth a thread."""
    schematic: bool = False
    """Whether pictures are schematic drawings where no graphics library works."""
    camera: Callable[[Any, Any], View] = whole_view
    """Returns the view of a moment from MuJoCo's model and data."""
    facts: Callable[[Any, Array, float], dict[str, float]] = no_facts
    """Returns numbers worth showing, from the simulator, its newest observation and the return so far."""


@dataclass(frozen=True)
class Task:
    """What a policy must know about a task."""

    name: str
    title: str
    observation: Literal["frames", "vector"]
    observation_shape: tuple[int, ...]
    """One observation; for frames one (84, 84) picture, of which the policy sees the newest four."""
    action_kind: Literal["discrete", "continuous"]
    actions: int
    """Number of discrete actions, or of action dimensions."""
    action_names: tuple[str, ...]
    random_score: float
    """Raw return that counts as 0 (random play); NaN where nobody has published one."""
    expert_score: float
    """Raw return that counts as 100; NaN likewise."""
    horizon: int = 0
    """Decisions after which the task itself cuts an episode; 0 leaves that to the config alone."""
    expert: str = "a human professional"
    """Whose return counts as 100."""
    simulation: Simulation = field(kw_only=True, compare=False, repr=False)
    """What plays it."""
    subtasks: tuple[str, ...] = ()
    """What is paid for, each once; empty where rewards mean something else."""
    full_observation: int = 0
    """Numbers of the environment's whole observation, where the policy sees a part of it alone; else 0."""
    selection: tuple[int, ...] = ()
    """Which of those numbers the policy sees."""

    @property
    def short_name(self) -> str:
        """The name without its simulator, as people say it: `hopper` for `mujoco-hopper`."""
        return next((self.name.removeprefix(p) for p in PREFIXES if self.name.startswith(p)), self.name)

    def normalised(self, raw_return: float) -> float:
        """Return the score on the scale where random play is 0 and the expert 100; NaN without such a scale."""
        return 100 * (raw_return - self.random_score) / (self.expert_score - self.random_score)
