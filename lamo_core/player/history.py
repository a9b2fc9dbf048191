"""The past of an episode: what was asked, done and paid at each decision.

Shape suffixes: A actions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lamo_core.evaluation.attention_weights import Attention
from lamo_core.evaluation.rollout_spec import EpisodeResult
from lamo_core.player.state_cache import Moments
from lamo_core.tasks.environment import Array

Ending = Literal["", "terminated", "truncated"]

_GAME_MOMENTS = (16, 256)
"""Distance and number of the kept moments of a game; one is about 100 kB."""
_CONTEXT_MOMENTS = (16, 24)
"""The same of contexts, which may be several megabytes each."""
_HEADS_BYTES = 64 * 2**20
"""Attention of single heads is kept of the newest decisions, up to this much; of older ones their mean."""


@dataclass(frozen=True, slots=True)
class Row:
    """One decision."""

    asked: float
    """Return-to-go that the policy was given, in the unit that it was trained on."""
    target: float
    """Return asked for in the whole episode, as it stood at this decision."""
    action: Any
    """What was done: an index, or (A,) float32."""
    reward: float
    """Raw."""
    values: NDArray[np.float32] | None = None
    """(A,) what the policy wanted: probabilities of discrete actions, or action values; None if nobody knows."""
    attention: Attention | None = None
    """Where the decision looked."""
    person: bool = False
    """Whether a person decided."""


@dataclass
class Track:
    """The decisions of an episode, oldest first, and the moments from which any of them is reached again."""

    clipped: bool = False
    """Whether returns-to-go count the signs of rewards only."""
    rows: list[Row] = field(default_factory=list)
    lives: list[float] = field(default_factory=list)
    """Lives before each decision and after the last, as far as the game has been played here."""
    ended: Ending = ""
    games: Moments[tuple[Any, Array]] = field(default_factory=lambda: Moments(*_GAME_MOMENTS))
    """Moments of the environment, each with its observation."""
    contexts: Moments[Any] = field(default_factory=lambda: Moments(*_CONTEXT_MOMENTS))
    """What the policy remembered before a decision."""
    earned: list[float] = field(default_factory=lambda: [0.0])
    """Before each decision and after the last: what has been earned, in the unit of `Row.asked`."""

    predicted: list[float] = field(default_factory=list)
    """What the policy predicts of the rewards to come before each decision and after the last; NaN is unknown."""

    heads_from: int = 0
    """Of decisions before this one only the mean of the attention is kept."""
    heads_bytes: int = 0
    """What the attention of single heads takes."""

    def __len__(self) -> int:
        return len(self.rows)

    def note_value(self, at: int, value: float) -> None:
        """Note what the policy predicts before decision `at`."""
        self.predicted += [math.nan] * (at + 1 - len(self.predicted))
        self.predicted[at] = value

    def add(self, row: Row, ended: Ending) -> None:
        """Put a decision at the end."""
        self.rows.append(row)
        self.earned.append(self.earned[-1] + (float(np.sign(row.reward)) if self.clipped else row.reward))
        self.ended = ended
        self._forget_heads()

    def _forget_heads(self) -> None:
        self.heads_bytes += _heads_bytes(self.rows[-1])
        while self.heads_bytes > _HEADS_BYTES:
            oldest = self.rows[self.heads_from]
            if oldest.attention is not None:
                self.heads_bytes -= _heads_bytes(oldest)
                self.rows[self.heads_from] = replace(oldest, attention=oldest.attention.averaged())
            self.heads_from += 1

    def cut(self, at: int) -> Track:
        """Return a new track with the decisions before `at` only, which can go on otherwise."""
        return Track(
            clipped=self.clipped,
            rows=self.rows[:at],
            lives=self.lives[: at + 1],
            games=self.games.until(at),
            contexts=self.contexts.until(at),
            earned=self.earned[: at + 1],
            predicted=self.predicted[: at + 1],
            heads_from=min(self.heads_from, at),
            heads_bytes=sum(map(_heads_bytes, self.rows[:at])),
        )

    def result(self, seed: int, noops: int) -> EpisodeResult:
        """Return the episode so far as an evaluation would, for replay files and films."""
        rewards = np.array([row.reward for row in self.rows], np.float64)
        discrete = not self.rows or np.ndim(self.rows[0].action) == 0
        known = [row.values for row in self.rows if row.values is not None] if discrete else []
        actions = np.array([row.action for row in self.rows], np.uint8 if discrete else np.float32)
        return EpisodeResult(
            target=self.rows[0].target if self.rows else 0.0,
            seed=seed,
            noops=noops,
            actions=actions,
            rewards=rewards,
            ret=float(rewards.sum()),
            terminated=self.ended == "terminated",
            truncated=self.ended == "truncated",
            returns_to_go=np.array([row.asked for row in self.rows], np.float32),
            probabilities=np.array(known, np.float16) if known and len(known) == len(self.rows) else None,
        )


def _heads_bytes(row: Row) -> int:
    return 0 if row.attention is None or row.attention.heads_BHC3 is None else row.attention.heads_BHC3.nbytes


def track_of(episode: EpisodeResult, *, clipped: bool) -> Track:
    """Return the track of a recorded episode."""
    known = episode.actions if episode.actions.ndim > 1 else episode.probabilities
    rows = [
        Row(
            asked=float(episode.returns_to_go[at]),
            target=episode.target,
            action=int(episode.actions[at]) if episode.actions.ndim == 1 else episode.actions[at],
            reward=float(episode.rewards[at]),
            values=None if known is None else np.asarray(known[at], np.float32),
        )
        for at in range(episode.length)
    ]
    paid = np.sign(episode.rewards) if clipped else episode.rewards
    ended: Ending = "terminated" if episode.terminated else "truncated" if episode.truncated else ""
    return Track(clipped=clipped, rows=rows, ended=ended, earned=[0.0, *accumulate(paid.tolist())])
