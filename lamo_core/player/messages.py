"""What the dashboard is told about an episode: plain numbers for JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lamo_core.errors import LamoError
from lamo_core.player.episode import ShownEpisode
from lamo_core.player.history import Track
from lamo_core.player.sources import Opened
from lamo_core.workers.messages import Header


@dataclass(frozen=True)
class Told:
    """How much of a track somebody was told already."""

    decisions: int = 0
    lives: int = 0
    predicted: int = 0

    @classmethod
    def all_of(cls, track: Track) -> Told:
        """Return that all of it was told."""
        return cls(len(track), len(track.lives), len(track.predicted))


def opened_header(side: int, opened: Opened, *, loading: bool = False) -> Header:
    """Return what never changes while an episode is open; `loading` says that its policy is on its way."""
    episode = opened.episode
    task = episode.task
    return {
        "kind": "opened",
        "side": side,
        "label": opened.label,
        "source": opened.source,
        "task": task.name,
        "title": task.title,
        "discrete": task.action_kind == "discrete",
        "actions": list(task.action_names),
        "frames": task.observation == "frames",
        "seed": episode.seed,
        "recorded": opened.recorded,
        "clipped": opened.clipped,
        "loading": loading,
        "goes_on": loading or episode.pilot is not None or opened.policy_at is not None,
        "targets": list(opened.targets),
        "per_second": episode.shown.pictures_per_second,
    }


def frame_header(side: int, episode: ShownEpisode, sent: Told, held: Any, look: tuple[int, int] = (0, 0)) -> Header:
    """Return what is seen at the playhead, and what is new of the track since `sent`.

    `held` is the action that a person holds, `look` the layer and head whose attention is shown; 0 is all of them.
    """
    at, track = episode.at, episode.track
    row = None if episode.at_end else track.rows[at]
    proposal = episode.proposal() if row is None else None
    source = row or proposal
    attention = None if source is None else source.attention
    taken = held if row is None and episode.person else None if source is None else source.action
    return {
        "kind": "frame",
        "side": side,
        "at": at,
        "length": len(track),
        "ended": track.ended,
        "over": episode.over,
        "live": episode.pilot is not None,
        "person": episode.person if row is None else row.person,
        "controls": episode.person,
        "branched": episode.other is not None,
        "target": episode.target if row is None else row.target,
        "asked": episode.asked(),
        "heeds": episode.pilot is None or episode.pilot.policy.follows_targets,
        "heads": None if episode.pilot is None else episode.pilot.heads,
        "look": look,
        "value_kind": "" if episode.pilot is None else episode.pilot.policy.value_kind,
        "earned": track.earned[at],
        "values": _rounded(None if source is None else source.values),
        "taken": taken if taken is None or episode.task.action_kind == "discrete" else _rounded(taken),
        "attention": _rounded(None if attention is None else attention.of(*look)),
        "averaged": attention is not None and attention.heads_BHC3 is None,
        "facts": episode.facts(),
        "track": track_part(track, sent),
    }


def track_part(track: Track, sent: Told) -> Header:
    """Return what is new of the track."""
    rows = track.rows[sent.decisions :]
    predicted = track.predicted[sent.predicted :]
    return {
        "from": sent.decisions,
        "rewards": [row.reward for row in rows],
        "asked": [round(row.asked, 4) for row in rows],
        "targets": [row.target for row in rows],
        "persons": [int(row.person) for row in rows],
        "lives_from": sent.lives,
        "lives": track.lives[sent.lives :],
        "predicted_from": sent.predicted,
        "predicted": [float(f"{value:.5g}") if math.isfinite(value) else None for value in predicted],
    }


def error_header(do: str, error: Exception) -> Header:
    """Return what is said of an error: a sentence, and the exit code that stands for it."""
    if isinstance(error, LamoError):
        return {"kind": "error", "do": do, "text": str(error), "code": error.exit_code}
    lines = str(error).strip().splitlines()
    text = f"the player met an error it does not know ({type(error).__name__}: {lines[0] if lines else ''})"
    return {"kind": "error", "do": do, "text": text, "code": 1}


def _rounded(values: Any) -> Any:
    return None if values is None else np.round(np.asarray(values, np.float64), 4).tolist()
