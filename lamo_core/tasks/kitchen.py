"""Franka Kitchen: a robot arm in a kitchen, paid 1 for each of four subtasks when it is first completed.

The environment is gymnasium-robotics' FrankaKitchen-v1 (Gupta et al. 2019; D4RL, Fu et al. 2020) with its dictionary
observation flattened to the 59 numbers that hold the state: robot joint positions (9) and velocities (9), object
positions (21) and velocities (20), with the environment's own sensor noise. Goals are constant and left out. Complete
and partial name two kinds of data for the same four subtasks; mixed wants the bottom burner instead of the slide
cabinet, and published data for it never do all four in a row. With `-v0` behind the name the policy sees the 30
positions alone, as in D4RL's published data, which hold no velocities.
"""

from __future__ import annotations

from typing import Any

from lamo_core.config import TaskConfig
from lamo_core.errors import MissingError
from lamo_core.install_hint import package_hint
from lamo_core.tasks.door import Door, blamed
from lamo_core.tasks.environment import Array
from lamo_core.tasks.mujoco_library import load_mujoco
from lamo_core.tasks.rendering.cameras import View
from lamo_core.tasks.task import Simulation, Task
from lamo_core.tasks.vector_simulation import rendered_simulator, vector_batch

SUBTASKS = ("microwave", "kettle", "light switch", "slide cabinet")
_KINDS = {"complete": SUBTASKS, "partial": SUBTASKS, "mixed": ("microwave", "kettle", "bottom burner", "light switch")}
"""Subtasks that are paid for."""
HORIZON = 280
ALL_FEATURES = 59
"""Numbers of a whole observation."""
POSITIONS = (*range(9), *range(18, 39))
"""Places of the robot's 9 and the objects' 21 positions among the 59 numbers."""
_JOINTS = tuple(f"joint {index}" for index in range(1, 8))


def _make_configured(config: TaskConfig) -> Any:
    return make_kitchen(config.name)


def _view(model: Any, data: Any) -> View:
    return View((-0.2, 0.5, 2.0), 2.2, 70.0, -35.0)


def _facts(simulator: Any, observation: Array, earned: float) -> dict[str, float]:
    return {"subtasks": earned}


def _kitchen_task(kind: str, version: str = "") -> Task:
    return Task(
        name=f"kitchen-{kind}{version}",
        title=f"Kitchen {kind}" + (", positions only" if version else ""),
        observation="vector",
        observation_shape=(len(POSITIONS) if version else ALL_FEATURES,),
        action_kind="continuous",
        actions=9,
        action_names=(*_JOINTS, "left finger", "right finger"),
        random_score=0.0,
        expert_score=4.0,
        expert="all four subtasks",
        horizon=HORIZON,
        subtasks=_KINDS[kind],
        full_observation=ALL_FEATURES if version else 0,
        selection=POSITIONS if version else (),
        simulation=_SIMULATION,
    )


_SIMULATION = Simulation(
    batch=vector_batch,
    rendered=rendered_simulator,
    environment=_make_configured,
    packages=("mujoco", "gymnasium_robotics"),
    threads=True,
    schematic=True,
    camera=_view,
    facts=_facts,
)

KITCHEN_TASKS = {task.name: task for version in ("", "-v0") for task in (_kitchen_task(k, version) for k in _KINDS)}


def make_kitchen(name: str = "kitchen-complete") -> Any:
    """Return the kitchen of a task as an environment without a time limit, (59,) or (30,) float64 observations.

    Raises `MissingError` with a MuJoCo that gymnasium-robotics does not work with.
    """
    import contextlib
    import io
    import logging

    import gymnasium
    import numpy as np

    mujoco = load_mujoco()

    # The package prints news about other environments when it is imported.
    with contextlib.redirect_stderr(io.StringIO()):
        import gymnasium_robotics

    # gymnasium-robotics asks `joint_type in (enum, enum)` of NumPy integers, which newer bindings answer with False.
    if np.int32(2) not in (mujoco.mjtJoint.mjJNT_SLIDE,):
        raise MissingError(
            f"the kitchen does not work with MuJoCo {mujoco.__version__}; install an older one with: "
            f"{package_hint('mujoco<3.12')}"
        )
    logging.getLogger("gymnasium").setLevel(logging.ERROR)
    gymnasium.register_envs(gymnasium_robotics)
    wanted = list(KITCHEN_TASKS[name].subtasks)
    with blamed(name, "while it was made"):
        environment = gymnasium.make(
            "FrankaKitchen-v1", tasks_to_complete=wanted, disable_env_checker=True, max_episode_steps=-1
        )
    state = gymnasium.wrappers.FilterObservation(environment, ["observation"])
    flat = gymnasium.wrappers.FlattenObservation(state)
    if not name.endswith("-v0"):
        return Door(flat, name)
    space = gymnasium.spaces.Box(-np.inf, np.inf, (len(POSITIONS),), np.float64)
    return Door(gymnasium.wrappers.TransformObservation(flat, lambda seen: seen[list(POSITIONS)], space), name)
