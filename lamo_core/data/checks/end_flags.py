"""End flags of recorded steps: where episodes end, and whether the task or a time limit ended them.

A stream of steps (a file of D4RL's kind) marks ends in two columns of yes and no: `terminals`, or `terminations`, where
the task ended an episode, and `timeouts`, or `truncations`, where a time limit or whoever recorded it did. The horizon
is the most steps that the task allows; it is 0 where none is known. "Unset" is a column that is missing or never yes.

| terminals | timeouts  | horizon | where episodes end                                                         |
| --------- | --------- | ------- | -------------------------------------------------------------------------- |
| somewhere | somewhere | any     | at every mark; a step with both is one at which the task ended the episode |
| somewhere | unset     | known   | at terminals, and by the limit after as many steps as the horizon has      |
| somewhere | unset     | none    | at terminals alone                                                         |
| never     | somewhere | any     | at timeouts alone, all by the limit                                        |
| never     | unset     | known   | by the limit, after as many steps as the horizon has                       |
| never     | unset     | none    | nowhere: refused                                                           |
| missing   | somewhere | any     | at timeouts alone, all by the limit                                        |
| missing   | unset     | any     | nowhere: refused                                                           |

Steps behind the last end are an episode that breaks off; it is kept apart (`partial`) and not trained on. Cutting at
the horizon is what D4RL's own reader does to files without `timeouts`; that one counts from 1 after an end, so that its
later episodes lack a step, which is not copied here. A file that marks time limits is believed: an episode of it that
is longer than the horizon stays whole, and `lamo data show` warns of it.

An episode in a group of its own (Minari) ends where the group does, and its last step says why: `terminations` the
task, `truncations` a limit, both the task, neither whoever recorded it (which counts as a limit). One missing column
counts as never yes; without both the set is refused. Marks before the last step cut nothing; the card counts the
episodes that have some.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TERMINALS = ("terminals", "terminations")
"""Names of the column of ends by the task."""
TIMEOUTS = ("timeouts", "truncations")
"""Names of the column of ends by a limit."""
EITHER = ("dones", "done")
"""Columns that say that an episode ended, but not why."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class EpisodeEnds:
    """Where the episodes of a stream end."""

    bounds: NDArray[np.int64]
    """(E,) the step after each episode's last one."""
    terminated: Flags
    """(E,) whether the task ended the episode."""
    partial: bool
    """Whether the last episode breaks off."""
    note: str = ""
    """What was decided beyond the marks, for the card."""


def cut_stream(steps: int, terminals: Flags | None, timeouts: Flags | None, horizon: int) -> EpisodeEnds | None:
    """Return where the episodes of a stream of `steps` steps end, by the table above; None where nothing says so.

    `terminals` and `timeouts` are (N,), or None where the stream has no such column.
    """
    marked = timeouts is not None and bool(timeouts.any())
    if not marked and (terminals is None or not (terminals.any() or horizon)):
        return None
    by_task = np.zeros(steps, np.bool_) if terminals is None else terminals
    if marked and timeouts is not None:
        ends = np.flatnonzero(by_task | timeouts) + 1
        note = (
            "" if terminals is not None else "the data mark no ends by the task: all episodes count as cut by a limit"
        )
    else:
        ends = _with_limits(np.flatnonzero(by_task) + 1, steps, horizon)
        note = _limit_note(timeouts is None, horizon)
    partial = not len(ends) or int(ends[-1]) != steps
    bounds = np.append(ends, steps) if partial else ends
    return EpisodeEnds(bounds.astype(np.int64), by_task[bounds - 1], partial, note)


def _with_limits(ends: NDArray[np.int64], steps: int, horizon: int) -> NDArray[np.int64]:
    """Return the ends with those that a limit of `horizon` steps adds; 0 adds none."""
    if not horizon:
        return ends
    starts = np.concatenate([[0], ends])
    stops = np.append(ends, steps)
    limits = [np.arange(start + horizon, stop + 1, horizon) for start, stop in zip(starts, stops, strict=True)]
    return np.unique(np.concatenate([ends, *limits]))


def _limit_note(missing: bool, horizon: int) -> str:
    said = "the data do not say where time limits struck" if missing else "the data mark no time limit anywhere"
    if not horizon:
        return f"{said}, and the task has none: episodes end where the task ended them"
    return f"{said}: episodes were cut after {horizon:,} steps, the task's limit, as D4RL's own reader does"


def group_ended_by_task(terminations: Flags | None) -> bool:
    """Return whether the task ended an episode in a group of its own."""
    return terminations is not None and bool(terminations[-1])


def marked_early(terminations: Flags | None, truncations: Flags | None) -> bool:
    """Return whether an episode in a group of its own is marked as ended before its last step."""
    return any(flags is not None and bool(flags[:-1].any()) for flags in (terminations, truncations))
