"""What the Replay screen knows of an episode: what the player told, put together. No Textual."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.runs.records import number
from lamo_core.workers.messages import Header

_SPARSE = 0.4
"""Rewards at fewer decisions than this share of all are events; more often they are a stream."""
_SPIKE = 4.0
"""In a stream, a reward this many times the usual spread away from the middle is an event."""


@dataclass
class EpisodeState:
    """One episode; `take` adds the news, at a cost that does not grow with the episode."""

    about: Header
    """What `opened` said."""
    frame: Header = field(default_factory=dict)
    rewards: list[float] = field(default_factory=list)
    targets: list[float] = field(default_factory=list)
    persons: list[int] = field(default_factory=list)
    lives: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    """Return-to-go that the policy was given at each decision."""
    predicted: list[float] = field(default_factory=list)
    """What the policy predicts before each decision and after the last; NaN where nobody knows."""
    ghost: NDArray[np.float64] | None = None
    """Return before each decision of the track that was left at the last branching."""
    _earned: list[float] = field(default_factory=lambda: [0.0])
    _paying: list[int] = field(default_factory=list)
    _lost: list[int] = field(default_factory=list)
    _changes: list[int] = field(default_factory=list)

    def take(self, frame: Header) -> None:
        """Take over a frame's header."""
        part, self.frame = frame["track"], frame
        self._take_decisions(part)
        start = part["lives_from"]
        self.lives[start:] = part["lives"]
        del self._lost[bisect_left(self._lost, max(1, start)) :]
        self._take_predicted(part)
        self._lost += [at for at in range(max(1, start), len(self.lives)) if self.lives[at] < self.lives[at - 1]]

    def _take_predicted(self, part: Header) -> None:
        start = part["predicted_from"]
        self.predicted += [math.nan] * (start - len(self.predicted))
        self.predicted[start:] = [math.nan if value is None else float(value) for value in part["predicted"]]

    def _columns(self) -> tuple[tuple[str, list[Any]], ...]:
        return (
            ("rewards", self.rewards),
            ("targets", self.targets),
            ("persons", self.persons),
            ("asked", self.asked),
        )

    def _take_decisions(self, part: Header) -> None:
        start = part["from"]
        for name, column in self._columns():
            column[start:] = part[name]
        del self._earned[start + 1 :]
        for events in (self._paying, self._changes):
            del events[bisect_left(events, start) :]
        clipped = bool(self.about.get("clipped"))
        for at in range(start, len(self.rewards)):
            reward = float(self.rewards[at])
            self._earned.append(self._earned[-1] + (float(np.sign(reward)) if clipped else reward))
            if reward:
                self._paying.append(at)
            if at and self.targets[at] != self.targets[at - 1]:
                self._changes.append(at)

    def branched(self) -> None:
        """Keep the track as it was for comparison."""
        self.ghost = self.returns()

    @property
    def at(self) -> int:
        """The playhead."""
        return int(self.frame.get("at", 0))

    @property
    def length(self) -> int:
        """Decisions of the track."""
        return len(self.rewards)

    def returns(self) -> NDArray[np.float64]:
        """Return what has been earned before each decision and after the last, (T + 1,), in the policy's unit."""
        return np.array(self._earned)

    @property
    def value_kind(self) -> str:
        """What the policy predicts of the rewards to come, in a word or two; empty when it learns nothing of it."""
        return str(self.frame.get("value_kind", ""))

    def outlook(self) -> NDArray[np.float64]:
        """Return what is expected before each decision and after the last, (T + 1,); NaN where nobody knows.

        Of a policy that predicts nothing it is the return-to-go that it is given.
        """
        if not self.value_kind:
            return np.array([*self.asked, self._asked_at_end()])
        missing = [math.nan] * (self.length + 1 - len(self.predicted))
        return np.array([*self.predicted, *missing][: self.length + 1])

    def _asked_at_end(self) -> float:
        if self.at == self.length:
            return float(self.frame.get("asked", math.nan))
        return self.targets[-1] - self._earned[-1]

    def expected(self) -> float:
        """Return the outlook at the playhead."""
        outlook = self.outlook()
        return float(outlook[min(self.at, len(outlook) - 1)])

    def lost_lives(self) -> list[int]:
        """Return the decisions in which a life was lost."""
        return [at - 1 for at in self._lost]

    def changes(self) -> list[int]:
        """Return the decisions at which another target was asked for."""
        return self._changes

    @property
    def streams(self) -> bool:
        """Whether rewards come at so many decisions that a single one says nothing."""
        return len(self._paying) >= _SPARSE * max(1, len(self.rewards))

    def paid(self) -> list[int]:
        """Return the decisions whose reward stands out: any, or in a stream of rewards the unusual ones."""
        if not self.streams:
            return self._paying
        if not self.rewards:
            return []
        away = np.abs(np.asarray(self.rewards) - np.median(self.rewards))
        return [int(at) for at in np.flatnonzero(away > _SPIKE * max(float(np.median(away)), 1e-9))]

    def next_event(self, events: list[int], direction: int) -> int | None:
        """Return the place right after the next event beyond the playhead, or after the last one before it."""
        places = [event + 1 for event in events]
        if direction > 0:
            return next((place for place in places if place > self.at), None)
        return next((place for place in reversed(places) if place < self.at), None)

    def values(self) -> list[float] | None:
        """Return the probabilities or action values at the playhead; None if nobody knows, all NaN if any is."""
        told = self.frame.get("values")
        if told is None:
            return None
        values = [number(value) for value in told]
        sound = [value for value in values if value is not None and math.isfinite(value)]
        return sound if len(sound) == len(values) else [math.nan] * len(values)

    def entropy(self) -> float | None:
        """Return how undecided the policy is, from 0 (certain) to 1 (any action will do); None if nobody knows."""
        values = self.values()
        if values is None or not self.about.get("discrete") or len(values) < 2 or math.isnan(values[0]):
            return None
        shares = np.clip(np.asarray(values, np.float64), 1e-12, 1.0)
        return float(-(shares * np.log(shares)).sum() / math.log(len(values)))

    def seconds(self, decisions: int) -> float:
        """Return how long decisions take at real speed."""
        return decisions / float(self.about.get("per_second") or 1.0)

    def raw_return(self) -> float:
        """Return the raw rewards before the playhead."""
        return float(sum(self.rewards[: self.at]))

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value of the newest frame."""
        return self.frame.get(name, default)
