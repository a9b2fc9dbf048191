"""An environment that misbehaves on demand, with ids that say how: `Faulty-HOW-v0` and `FaultyReset-HOW-v0`."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

STEP = 5
"""In which it does so; episodes last 8."""
SEED = 101
"""The only episode in which `late` environments do so."""
_OBSERVED = np.full(3, 0.25, np.float32)


class Unspeakable(Exception):
    """Cannot even be told."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


RAISED: dict[str, BaseException] = {
    "RuntimeError": RuntimeError("simulator blew up\nat length"),
    "ValueError": ValueError("simulator blew up"),
    "KeyError": KeyError("x"),
    "AssertionError": AssertionError(),
    "Error": gymnasium.error.Error("of gymnasium"),
    "StopIteration": StopIteration(),
    "Unspeakable": Unspeakable(),
    "OSError": OSError(28, "No space left on device"),
    "escape": RuntimeError("\x1b]0;title\x07"),
    "SystemExit": SystemExit(3),
}
OBSERVED: dict[str, Any] = {
    "nan": np.array([0.0, np.nan, 0.0], np.float32),
    "inf": np.array([0.0, 0.0, -np.inf]),
    "huge": np.array([1e300, 0.0, 0.0]),
    "float32": np.array([1e39, 0.0, 0.0]),
    "cancelled": np.array([1e300, -1e300, 0.0]),
    "shape": np.zeros(7, np.float32),
    "scalar": np.float32(0.0),
    "matrix": np.zeros((1, 3), np.float32),
    "text": np.array(["a", "b", "c"]),
    "complex": np.zeros(3, np.complex64),
    "object": np.array([None, 1, 2], object),
    "ragged": [1.0, [2.0, 3.0], 4.0],
    "nothing": None,
    "dict": {"state": np.zeros(3)},
}
PAID: dict[str, Any] = {
    "reward-nan": float("nan"),
    "reward-inf": np.float64("inf"),
    "reward-huge": 1e39,
    "reward-none": None,
    "reward-array": np.array([1.0]),
    "reward-text": "1",
    "reward-complex": 1j,
    "reward-whole": 10**400,
}
FLAGS: dict[str, Any] = {
    "flag-none": None,
    "flag-one": 1,
    "flag-nan": float("nan"),
    "flag-array": np.array([True]),
    "flag-text": "no",
}
RETURNED: dict[str, Any] = {
    "none": None,
    "four": (_OBSERVED, 1.0, False, {}),
    "number": 7,
    "alone": _OBSERVED,
}
STEPS = [*RAISED, *OBSERVED, *PAID, *FLAGS, *RETURNED]
RESETS = [*RAISED, *OBSERVED, "none", "alone", "number"]


class Faulty(gymnasium.Env[Any, Any]):
    """Three numbers, and rewards of 1; `how` is what goes wrong, `where` in `step`, `reset` or while it is made."""

    observation_space = gymnasium.spaces.Box(-10, 10, (3,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)

    def __init__(self, how: str, where: str = "step", late: bool = False) -> None:
        self._how, self._where, self._late = how, where, late
        self._seed, self._count = 0, 0
        if where == "making":
            raise RAISED[how]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self._seed, self._count = seed or 0, 0
        if self._where != "reset" or not self._due():
            return _OBSERVED.copy(), {}
        if self._how in OBSERVED:
            return OBSERVED[self._how], {}
        return self._raise_or(RETURNED)

    def step(self, action: Any) -> Any:
        self._count += 1
        over = self._count >= 8
        if self._where != "step" or self._count != STEP or not self._due():
            return _OBSERVED.copy(), 1.0, False, over, {}
        observation, reward = OBSERVED.get(self._how, _OBSERVED.copy()), PAID.get(self._how, 1.0)
        if self._how in (*OBSERVED, *PAID, *FLAGS):
            return observation, reward, FLAGS.get(self._how, False), over, {}
        return self._raise_or(RETURNED)

    def _due(self) -> bool:
        return not self._late or self._seed >= SEED

    def _raise_or(self, returned: dict[str, Any]) -> Any:
        if self._how in RAISED:
            raise RAISED[self._how]
        return returned[self._how]


def register(how: str, where: str = "step", *, late: bool = False) -> str:
    """Register an environment with Gymnasium, unless it is, and return its task."""
    identifier = f"Faulty{where.title()}{'Late' * late}-{how}-v0"
    if identifier not in gymnasium.registry:
        arguments = {"how": how, "where": where, "late": late}
        gymnasium.register(identifier, entry_point=Faulty, kwargs=arguments, max_episode_steps=8)
    return f"gym:{identifier}"
