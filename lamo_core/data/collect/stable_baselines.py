"""The whole learning history of an agent that stable-baselines3 trains, as episodes of a replay set.

Legend: every finished episode is kept, from the first random one on; the last, unfinished ones are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from typing import Any, Literal, get_args

import gymnasium
import numpy as np

from lamo_core.config import TaskConfig
from lamo_core.data.collect.recorders import Episode, Recorder, open_recorder
from lamo_core.errors import LamoError, MissingError, UsageError
from lamo_core.install_hint import hint

Algorithm = Literal["ppo", "sac", "dqn"]
_ACTIONS = {"ppo": ("discrete", "continuous"), "sac": ("continuous",), "dqn": ("discrete",)}
_ENVIRONMENTS = {"ppo": 8, "sac": 1, "dqn": 1}
"""Played side by side: PPO learns from all of them at once."""
_FRAMES_KEPT = 10_000
"""Transitions in DQN's memory on frames, of 56 kB each."""
_PARTS = 10
"""Parts of the history that the set's card tells apart."""


class RecordedEnvironment(gymnasium.Env[Any, Any]):
    """A recorder as a Gymnasium environment; finished episodes go to `keep`."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # Gymnasium's own declaration

    def __init__(
        self, recorder: Recorder, seeds: Any, label: Callable[[], str], keep: Callable[[Episode], None]
    ) -> None:
        task = recorder.task
        self._recorder, self._seeds, self._label, self._keep = recorder, seeds, label, keep
        self._frames = task.observation == "frames"
        if self._frames:
            self.observation_space = gymnasium.spaces.Box(0, 255, (4, 84, 84), np.uint8)
        else:
            self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, task.observation_shape, np.float32)
        if task.action_kind == "discrete":
            self.action_space = gymnasium.spaces.Discrete(task.actions)
        else:
            self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (task.actions,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start the next episode; its seed is the next of the set, whatever the library asks for."""
        return self._recorder.begin(next(self._seeds), self._label()), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one decision; on frames the agent learns from the sign of the reward, and the set has it raw."""
        observation, reward, terminated, truncated = self._recorder.step(action)
        if terminated or truncated:
            self._keep(self._recorder.episode())
        return observation, float(np.sign(reward)) if self._frames else reward, terminated, truncated, {}

    def close(self) -> None:
        """Free the environment."""
        self._recorder.close()


@dataclass(frozen=True)
class History:
    """What an agent did while it learned."""

    episodes: list[Episode]
    """Every finished one, in order of their ends."""
    steps: int
    """Decisions in all; fewer than asked for after an interruption or an error."""
    error: LamoError | None = None
    """What ended it early."""


def learn_and_record(
    config: TaskConfig,
    algorithm: str,
    *,
    steps: int,
    seed: int,
    first_seed: int,
    progress: Callable[[int], None],
) -> History:
    """Train an agent for `steps` decisions and return all that it did.

    `progress(done)` is called as it goes on. An interruption (Ctrl-C), or a fault of the environment, ends the training
    and keeps what there is. Raises `MissingError` without the library, `UsageError` when the algorithm does not fit the
    task's actions.
    """
    recorders = _recorders(config, algorithm)
    episodes: list[Episode] = []
    seeds, done = count(first_seed), [0]

    def label() -> str:
        part = min(_PARTS - 1, done[0] * _PARTS // max(steps, 1))
        return f"{algorithm} {part * steps // _PARTS:,} to {(part + 1) * steps // _PARTS:,}"

    environments = [RecordedEnvironment(recorder, seeds, label, episodes.append) for recorder in recorders]
    model = _model(algorithm, environments, steps, seed)

    def goes_on(now: int) -> bool:
        done[0] = now
        progress(min(now, steps))
        return now < steps  # by itself PPO stops only at the end of a rollout

    error: LamoError | None = None
    try:
        model.learn(steps, callback=_callback(goes_on))
    except KeyboardInterrupt:
        pass
    except LamoError as found:
        error = found
    except (ValueError, ArithmeticError, RuntimeError) as found:  # such as a policy of the library's that diverged
        said = (str(found).strip().splitlines() or [type(found).__name__])[0]
        error = LamoError(f"{algorithm.upper()} of stable-baselines3 broke off after {done[0]:,} steps: {said}")
    finally:
        model.get_env().close()
    return History(episodes, done[0], error)


def _recorders(config: TaskConfig, algorithm: str) -> list[Recorder]:
    if algorithm not in get_args(Algorithm):
        raise UsageError(f"there is no algorithm {algorithm!r} to train with; choose one of ppo, sac and dqn")
    if find_spec("stable_baselines3") is None:
        raise MissingError(f"training a policy needs stable-baselines3; install it with: {hint('collect')}")
    first = open_recorder(config)
    if first.task.action_kind not in _ACTIONS[algorithm]:
        fitting = ", ".join(name for name, kinds in _ACTIONS.items() if first.task.action_kind in kinds)
        raise UsageError(f"{algorithm} does not learn {first.task.action_kind} actions; use one of {fitting}")
    return [first, *(open_recorder(config) for _ in range(_ENVIRONMENTS[algorithm] - 1))]


def _model(algorithm: str, environments: list[RecordedEnvironment], steps: int, seed: int) -> Any:
    import stable_baselines3
    from stable_baselines3.common.vec_env import DummyVecEnv

    frames = environments[0].observation_space.dtype == np.uint8
    settings: dict[str, Any] = {"policy": "CnnPolicy" if frames else "MlpPolicy", "seed": seed, "device": "auto"}
    if algorithm == "ppo":
        # A short training must still see several updates.
        rollout = int(np.clip(steps // (4 * len(environments)), 16, 256 if frames else 512))
        settings |= {"n_steps": rollout, "batch_size": min(256, rollout * len(environments))}
    elif frames:
        settings |= {"buffer_size": min(steps, _FRAMES_KEPT)}
    else:
        settings |= {"buffer_size": max(min(steps, 1_000_000), 1)}
    if algorithm != "ppo":
        settings |= {"learning_starts": min(1_000, steps // 10)}
    vectorised = DummyVecEnv([lambda environment=one: environment for one in environments])
    return getattr(stable_baselines3, algorithm.upper())(env=vectorised, **settings)


def _callback(goes_on: Callable[[int], bool]) -> Any:
    from stable_baselines3.common.callbacks import BaseCallback

    class Tell(BaseCallback):  # type: ignore[misc]
        def _on_step(self) -> bool:
            return goes_on(self.num_timesteps)

    return Tell()
