"""What deserves a look in a run's curves: a loss that is NaN, jumps, or no longer falls.

Knows nothing of Textual.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lamo_core.runs.metrics.series import Series

_BLOCK = 32
"""Steps that are compared with those before them."""
_HISTORY = 200
_SPIKE = 3.0
"""A block's mean this many times the typical loss before it is a spike."""
_LEAST = 20 * _BLOCK
_FALL = 0.01
"""From so many steps on the mean of a loss should fall by this share from one third of all steps to the next. In 40
trainings of all tasks it fell by 3 % at least whenever one looked."""
_MOST = 50
"""No more alerts than this are kept per run."""


@dataclass(frozen=True)
class Alert:
    """Something that a person should know about."""

    kind: str
    """`nan`, `spike` or `plateau`."""
    step: int
    time: float
    text: str


class AlertWatch:
    """Looks at losses as they grow, each point once."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self._seen: dict[str, int] = {}
        self._judged = 0
        """Points of the loss that were looked at for a plateau."""

    def update(self, series: Mapping[str, Series]) -> None:
        """Look at the points that are new; a run that went back forgets what came after that step."""
        for name in ("loss", "loss/language"):
            if name in series:
                self._look(name, series[name])
        # losses of critics follow targets that move
        if "loss" in series and "loss/critic" not in series:
            self._find_plateau(series["loss"])

    def _look(self, name: str, series: Series) -> None:
        seen = self._seen.get(name, -1)
        last = int(series.step[-1]) if len(series) else -1
        if last < seen:
            self.alerts = [alert for alert in self.alerts if alert.step <= last]
            seen = last
        start = int(np.searchsorted(series.step, seen, side="right"))
        self._find_non_finite(name, series, start)
        # a spike is judged over whole blocks, so what is not yet a block is looked at again
        end = start + (len(series) - start) // _BLOCK * _BLOCK
        for begin in range(start, end, _BLOCK):
            self._find_spike(name, series, begin)
        if end > start:
            self._seen[name] = int(series.step[end - 1])

    def _find_non_finite(self, name: str, series: Series, start: int) -> None:
        bad = np.flatnonzero(~np.isfinite(series.value[start:]))
        known = [alert for alert in self.alerts if alert.kind == "nan" and alert.text.startswith(f"{name} is ")]
        for alert in known:
            at = int(np.searchsorted(series.step, alert.step))
            if at < len(series) and math.isfinite(series.value[at]):  # it went back and did better
                self.alerts.remove(alert)
                known = []
        if len(bad) and not known:
            at = start + int(bad[0])
            word = "NaN" if math.isnan(float(series.value[at])) else "infinite"
            self._add("nan", series, at, f"{name} is {word} since step {int(series.step[at]):,}")

    def _find_spike(self, name: str, series: Series, begin: int) -> None:
        before = series.value[max(0, begin - _HISTORY) : begin]
        block = series.value[begin : begin + _BLOCK]
        before, finite = before[np.isfinite(before)], np.isfinite(block)
        if len(before) < 2 * _BLOCK or not finite.any():
            return
        typical, top = float(np.median(before)), int(np.argmax(np.where(finite, block, -np.inf)))
        step = int(series.step[begin + top])
        known = any(alert.kind == "spike" and 0 <= step - alert.step <= _HISTORY for alert in self.alerts)
        if typical > 0 and not known and float(block[finite].mean()) > _SPIKE * typical:
            text = f"{name} jumped to {float(block[top]):.3g} at step {step:,} (was about {typical:.3g})"
            self._add("spike", series, begin + top, text)

    def _find_plateau(self, series: Series) -> None:
        """Find the first block after which the loss has hardly fallen for a third of all steps."""
        if len(series) < self._judged:
            self._judged = 0
        ends = np.arange(max(_LEAST, (self._judged // _BLOCK + 1) * _BLOCK), len(series) + 1, _BLOCK)
        if not len(ends) or any(alert.kind == "plateau" for alert in self.alerts):
            return
        self._judged = len(series)
        thirds = ends // 3
        with np.errstate(invalid="ignore", over="ignore"):  # from a NaN on, nothing is told
            sums = np.concatenate([[0.0], np.cumsum(series.value)])
            before = (sums[ends - thirds] - sums[ends - 2 * thirds]) / thirds
            since = (sums[ends] - sums[ends - thirds]) / thirds
            flat = np.flatnonzero((before > 0) & (since > (1 - _FALL) * before) & np.isfinite(since))
        if len(flat):
            here = int(flat[0])
            start = int(series.step[ends[here] - thirds[here]])
            text = f"loss has hardly fallen since step {start:,}: {before[here]:.3g} before, {since[here]:.3g} since"
            self._add("plateau", series, int(ends[here]) - 1, text)

    def _add(self, kind: str, series: Series, at: int, text: str) -> None:
        if len(self.alerts) < _MOST:
            self.alerts.append(Alert(kind, int(series.step[at]), float(series.time[at]), text))
