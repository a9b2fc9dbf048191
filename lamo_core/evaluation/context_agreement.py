"""How far two context modes decide alike.

Two modes only have comparable decisions on the same history. So one mode leads: it plays, and the other
decides beside it at every step of the same history, without a say.

Shape suffixes: N episodes, A actions.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from torch import Tensor

from lamo_core.config import ContextMode
from lamo_core.evaluation.contexts import Actor, Context, make_context, played_mode


@dataclass(frozen=True)
class Agreement:
    """How alike two modes decided on the histories of the leading one."""

    leading: ContextMode
    beside: ContextMode
    decisions: int
    same_action: float | None
    """Share of decisions whose most likely action is the same; None for continuous actions."""
    distance: float
    """Mean total variation distance of the action distributions, in [0, 1]; for continuous actions the mean
    absolute difference."""


class ContextComparison:
    """Watch the decisions of a second context mode during a roll-out and sum up how they differ."""

    def __init__(self, mode: ContextMode) -> None:
        self.mode: ContextMode = mode
        self.seconds = 0.0
        """Time spent on the second mode, which is no part of the first one's speed."""
        self._decisions = 0
        self._same = 0
        self._distance = 0.0
        self._discrete = True

    def beside(self, leading: Context, policy: Actor) -> Context:
        """Return a context that decides as `leading` does and lets this comparison watch."""
        self.mode = played_mode(self.mode, policy)
        return _Pair(leading, make_context(self.mode, policy), self, policy.task.action_kind == "discrete")

    def agreement(self, leading: ContextMode) -> Agreement:
        """Return what was seen so far; needs at least one decision."""
        return Agreement(
            leading=leading,
            beside=self.mode,
            decisions=self._decisions,
            same_action=self._same / self._decisions if self._discrete else None,
            distance=self._distance / self._decisions,
        )

    def note(self, ours_NA: Tensor, theirs_NA: Tensor, *, discrete: bool) -> None:
        """Add the outputs of N decisions on the same histories."""
        self._decisions += len(ours_NA)
        self._discrete = discrete
        if discrete:
            self._same += int((ours_NA.argmax(-1) == theirs_NA.argmax(-1)).sum())
            gap_NA = ours_NA.double().softmax(-1) - theirs_NA.double().softmax(-1)
            self._distance += float(gap_NA.abs().sum() / 2)
        else:
            gap_NA = ours_NA.clamp(-1, 1) - theirs_NA.clamp(-1, 1)
            self._distance += float(gap_NA.abs().mean(-1).sum())


class _Pair:
    """Two contexts over one history; the first one's decisions count."""

    def __init__(self, leading: Context, second: Context, comparison: ContextComparison, discrete: bool) -> None:
        self.leading, self.second, self.comparison, self.discrete = leading, second, comparison, discrete

    def decide(self, observations: Tensor, returns_N: Tensor, previous_actions: Tensor | None) -> Tensor:
        # On the CPU before the clock starts: a GPU may still be busy with the leading mode.
        ours_NA = self.leading.decide(observations, returns_N, previous_actions).cpu()
        start = time.perf_counter()
        theirs_NA = self.second.decide(observations, returns_N, previous_actions).cpu()
        self.comparison.note(ours_NA, theirs_NA, discrete=self.discrete)
        self.comparison.seconds += time.perf_counter() - start
        return ours_NA

    def keep(self, rows: Tensor) -> None:
        self.leading.keep(rows)
        self.second.keep(rows)
