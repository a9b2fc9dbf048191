"""Speed and time left of a training run, from its events."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

from lamo_core.config import EvalConfig
from lamo_core.training.events import Changed, EvalDone, Event, Started, StepDone

_WINDOW = 100
"""Newest steps that the rate is taken from."""
_WARM_UP = 3
"""First steps of a stretch: caches, kernels and memory pools make them slow, so later steps replace them."""


class RateMeter:
    """Follows a run's events and says steps per second and seconds left.

    The rate counts what steps themselves took: evaluations, checkpoints and pauses do not lower it. The time
    left adds the evaluations still to come, once one has been measured.
    """

    def __init__(self, evaluation: EvalConfig | None = None) -> None:
        self.step = 0
        self.total = 0
        self._evaluation = evaluation or EvalConfig(every=0, final_episodes=0)
        self._seconds: deque[float] = deque(maxlen=_WINDOW)
        self._steps_of_stretch = 0
        self._seconds_per_episode: float | None = None
        self._evaluated = False

    def write(self, event: Event) -> None:
        """Take note of an event."""
        self.step = event.step
        if isinstance(event, Started):
            self.total = event.total
            self._steps_of_stretch = 0
        elif isinstance(event, StepDone):
            self._steps_of_stretch += 1
            if self._steps_of_stretch == _WARM_UP + 1:
                self._seconds.clear()
            self._seconds.append(sum(event.seconds.values()))
        elif isinstance(event, EvalDone) and event.scores:
            self._seconds_per_episode = event.seconds / max(1, event.scores[0].episodes)
            self._evaluated = event.final
        elif isinstance(event, Changed):
            self._change(event)

    @property
    def rate(self) -> float | None:
        """Optimiser steps per second; None before the first step."""
        total = sum(self._seconds)
        return len(self._seconds) / total if total > 0 else None

    @property
    def eta(self) -> float | None:
        """Seconds left; None before the first step."""
        rate = self.rate
        if rate is None:
            return None
        evaluations = self._episodes_left() * (self._seconds_per_episode or 0.0)
        return max(0, self.total - self.step) / rate + evaluations

    def _change(self, event: Changed) -> None:
        group, _, name = event.name.partition(".")
        if group == "eval" and name in ("every", "episodes", "final_episodes") and isinstance(event.value, float | int):
            changes: dict[str, Any] = {name: int(event.value)}
            self._evaluation = replace(self._evaluation, **changes)

    def _episodes_left(self) -> int:
        if self._evaluated:
            return 0
        every = self._evaluation.every
        last = self.total - 1  # the one after the last step is the final evaluation
        between = max(0, last // every - self.step // every) if every > 0 else 0
        return between * self._evaluation.episodes + self._evaluation.final_episodes
