"""Plays subtasks of the kitchen in one manner: how fast, how straight, how steadily, and how it gets over mishaps.

Nobody does the same thing twice in the same way. Aims are off by a few centimetres, the hand may start with a detour,
and now and then a push throws the arm off its way for a few steps, after which the hand corrects itself: imitators see
how to recover (noise injection, Laskey et al. 2017). The action that is recorded is the one that is played.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.recipes.kitchen_controller import Aim, Floats, HandController
from lamo_core.data.recipes.kitchen_skills import finished, next_aim, scene_of

_PUSH_CHANCE = 0.06
"""Of a push's beginning, per step without one."""
_PUSH_STEPS = (1, 3)
"""A push lasts so many steps."""
_RESOLUTION = 2.0**-10
"""Actions are played in multiples of this: the rest would be noise that does not compress."""
_DETOUR_STEPS = 15
_SPARE_STEPS = 12
"""Most steps for which a solved subtask is carried on."""
_STUCK_STEPS, _STUCK_RANGE = 8, 0.012
"""A hand that stays within so many metres for so many steps is stuck."""
_BACK_STEPS = 6
_BACK = np.array([0.0, -0.12, 0.06])


@dataclass(frozen=True)
class Manner:
    """What differs between episodes: the subtasks and their order, and how they are done."""

    subtasks: tuple[str, ...]
    noise: float = 0.0
    """Standard deviation of a push, which is added to the action while it lasts."""
    jitter: float = 0.0
    """Standard deviation, in metres, of what aims in the air are off by; drawn anew for each subtask."""
    speed: float = 1.0
    """Factor on speeds in the air."""
    thoroughness: float = 0.5
    """How much farther than solved things are pulled and pushed, from 0 to 1."""
    detour: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where the hand goes first, in metres from its start."""
    patience: int = 0
    """Steps after which the last subtask is given up; 0 never."""


class Script:
    """Plays a manner on one environment, action by action."""

    def __init__(self, model: Any, data: Any, manner: Manner, rng: np.random.Generator) -> None:
        self._data, self._manner, self._rng = data, manner, rng
        self._controller = HandController(model, data)
        self._detour = self._controller.hand + np.array(manner.detour)
        self._detour_left = _DETOUR_STEPS if any(manner.detour) else 0
        self._subtask, self._spent = "", 0
        self._since: dict[str, int] = {}
        self._off = np.zeros(3)
        self._push, self._push_left = np.zeros(9), 0
        self._trail: deque[Floats] = deque(maxlen=_STUCK_STEPS)
        self._back_left = 0

    def next_action(self, solved: Sequence[str]) -> NDArray[np.float32] | None:
        """Return the next (9,) action, or None when all subtasks are over; `solved` names finished ones."""
        pending = [name for name in self._manner.subtasks if not self._over(name, solved)]
        if not pending:
            return None
        if pending[0] != self._subtask:
            self._subtask, self._spent = pending[0], 0
            self._off = self._rng.normal(0.0, self._manner.jitter, 3)
        self._spent += 1
        if self._subtask == self._manner.subtasks[-1] and 0 < self._manner.patience < self._spent:
            return None
        action = np.clip(self._controller.action(self._aim()) + self._next_push(), -1.0, 1.0)
        return (np.round(action / _RESOLUTION) * _RESOLUTION).astype(np.float32)

    def _over(self, subtask: str, solved: Sequence[str]) -> bool:
        """Whether the subtask is solved with something to spare; what resists is left at that before long."""
        if subtask not in solved:
            return False
        self._since[subtask] = self._since.get(subtask, -1) + 1
        return self._since[subtask] >= _SPARE_STEPS or finished(subtask, self._data, self._manner.thoroughness)

    def _aim(self) -> Aim:
        hand = self._controller.hand
        if self._detour_left and np.linalg.norm(self._detour - hand) > 0.04:
            self._detour_left -= 1
            return Aim(self._detour, True, 0.6 * self._manner.speed)
        self._detour_left = 0
        self._trail.append(hand)
        if len(self._trail) == _STUCK_STEPS and np.ptp(np.array(self._trail), axis=0).max() < _STUCK_RANGE:
            self._back_left = _BACK_STEPS
            self._off = self._rng.normal(0.0, self._manner.jitter, 3)
        if self._back_left:
            self._back_left -= 1
            self._trail.clear()
            return Aim(hand + _BACK, True, free=False)
        aim = next_aim(self._subtask, scene_of(self._data, hand))
        if not aim.free:
            return aim
        # The last centimetres are taken as they are meant: otherwise the hand would wait beside its aim for ever.
        off = self._off * min(1.0, max(0.0, float(np.linalg.norm(aim.position - hand)) / 0.1 - 0.5))
        return replace(aim, position=aim.position + off, speed=aim.speed * self._manner.speed)

    def _next_push(self) -> Floats:
        if self._push_left:
            self._push_left -= 1
        elif self._rng.random() < _PUSH_CHANCE:
            self._push_left = int(self._rng.integers(_PUSH_STEPS[0], _PUSH_STEPS[1] + 1)) - 1
            self._push = self._rng.normal(0.0, self._manner.noise, 9)
        else:
            return np.zeros(9)
        return self._push
