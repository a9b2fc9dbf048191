"""Evaluation that counts for a run, by one rule for its records and for what its status keeps of them.

The newest final evaluation counts, with the steps that were done and the settings that held by then: a run that was
continued without another one keeps it. While there is none the newest evaluation stands in, which no report takes. A
run that is continued from an older checkpoint goes back there, and what came after is void.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar


class HasStep(Protocol):
    """What happened at a step of a run."""

    @property
    def step(self) -> int: ...


Point = TypeVar("Point", bound=HasStep)


@dataclass(frozen=True)
class Change:
    """A setting that was changed after the run began."""

    step: int
    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}={self.value} from step {self.step}"


@dataclass(frozen=True)
class Standing(Generic[Point]):
    """The evaluations and changed settings of a run that hold, whatever an evaluation is recorded as."""

    evaluations: tuple[Point, ...] = ()
    """Oldest first."""
    final: Point | None = None
    """The newest final one."""
    changes: tuple[Change, ...] = ()
    """Settings that were changed, oldest first."""
    final_changes: tuple[Change, ...] = ()
    """Those of them that held at the final evaluation."""

    @property
    def counting(self) -> Point | None:
        """The evaluation that counts: the newest final one, else the newest; None without any."""
        if self.final is not None:
            return self.final
        return self.evaluations[-1] if self.evaluations else None

    def continued(self, step: int) -> Standing[Point]:
        """Return what holds of a run that goes on from a step: nothing that came later."""
        return replace(
            self,
            evaluations=tuple(point for point in self.evaluations if point.step <= step),
            final=self.final if self.final is not None and self.final.step <= step else None,
            changes=tuple(change for change in self.changes if change.step <= step),
        )

    def evaluated(self, newest: Point, *, final: bool) -> Standing[Point]:
        """Return what holds after one more evaluation: the run is at its step, so those there and beyond are void."""
        if final:
            evaluations = (*self._before(newest), newest)
            return replace(self, evaluations=evaluations, final=newest, final_changes=self.changes)
        if self.final is not None and self.final.step == newest.step:
            return self  # the final one tells of the same weights, by more episodes
        kept = self.final if self.final is not None and self.final.step < newest.step else None
        return replace(self, evaluations=(*self._before(newest), newest), final=kept)

    def changed(self, step: int, name: str, value: Any) -> Standing[Point]:
        """Return what holds after a setting was changed."""
        change = Change(step, name, shown_value(value))
        before = self.final is not None and step < self.final.step
        final_changes = (*self.final_changes, change) if before else self.final_changes
        return replace(self, changes=(*self.changes, change), final_changes=final_changes)

    def _before(self, newest: Point) -> Iterable[Point]:
        return (point for point in self.evaluations if point.step < newest.step)


@dataclass(frozen=True)
class Evaluation:
    """An evaluation as the events of a run tell it."""

    step: int
    event: Mapping[str, Any]
    started: Mapping[str, Any] = field(default_factory=dict)
    """The `Started` of its stretch of the run."""


def history(events: Iterable[Mapping[str, Any]]) -> Standing[Evaluation]:
    """Return what the records of a run's events say, oldest first; what has no step says nothing."""
    found: Standing[Evaluation] = Standing()
    started: Mapping[str, Any] = {}
    for event in events:
        step, kind = event.get("step"), event.get("event")
        if type(step) is not int:
            continue
        if kind == "Started":
            found, started = found.continued(step), event
        elif kind == "Changed":
            found = found.changed(step, str(event.get("name")), event.get("value"))
        elif kind == "EvalDone" and event.get("scores"):
            found = found.evaluated(Evaluation(step, event, started), final=bool(event.get("final")))
    return found


def shown_value(value: Any) -> str:
    """Return the value of a changed setting as text."""
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
