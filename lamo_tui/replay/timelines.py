"""What the timelines of an episode draw: what was achieved, and what the policy expects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from lamo_tui.replay.episode_state import EpisodeState
from lamo_tui.text import figure
from lamo_tui.widgets.timeline import Course


def course_of(state: EpisodeState, ink: str) -> Course:
    """Return an episode as the timeline draws it."""
    return Course(
        state.returns(),
        ink,
        rewards=state.paid(),
        losses=state.lost_lives(),
        changes=state.changes(),
        persons=state.persons,
        ghost=state.ghost,
        over=bool(state.get("ended")),
    )


def marks_of(states: Sequence[EpisodeState]) -> str:
    """Return what the marks on the timeline mean, of those that are there."""
    kinds = (
        ("• reward", lambda state: state.paid()),
        ("✗ life lost", lambda state: state.lost_lives()),
        ("◆ other target", lambda state: state.changes()),
        ("━ you", lambda state: any(state.persons)),
    )
    return " · ".join(words for words, there in kinds if any(there(state) for state in states))


def outlook_of(state: EpisodeState, ink: str) -> Course:
    """Return what an episode's policy expects as the timeline draws it."""
    return replace(course_of(state, ink), returns=state.outlook(), ghost=None)


def outlook_title(state: EpisodeState) -> str:
    """Return the title of the timeline of what is expected; it says so when that is no estimate."""
    if state.value_kind:
        return f"{state.value_kind} · {expected_text(state)} from here"
    asked = f"to go · {figure(float(state.get('asked', 0.0)))} asked"
    if state.get("live"):
        return f"{asked}; this policy learns no values"
    return f"{asked}; a record keeps no values"


def expected_text(state: EpisodeState) -> str:
    """Return what is expected at the playhead; a dash where nobody knows."""
    value = state.expected()
    return figure(value if math.isfinite(value) else None)
