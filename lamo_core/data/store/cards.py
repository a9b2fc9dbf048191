"""Cards of sets that came from elsewhere: what is in them, where they are from, and what was done to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.formats.action_log import ActionLog
from lamo_core.data.formats.card import histogram, summary
from lamo_core.data.formats.segmentation import cut_episodes
from lamo_core.data.formats.vector_file import VectorSet
from lamo_core.data.store.frame_set import is_partial
from lamo_core.errors import DamagedDataError, UnsupportedDataError
from lamo_core.tasks.action_bounds import ActionBounds
from lamo_core.tasks.flattening import Part

Facts = Mapping[str, Any]
"""`name`, `task`, `licence`; `origin` (source, addresses, hashes); optional `notes` and `reward_unit`; `action_bounds`,
which actions were scaled from, and `observation_parts`, which observations were made flat from."""


def bounds_of(card: Mapping[str, Any]) -> ActionBounds | None:
    """Return the bounds that a set's actions were scaled from; None where they are as they were. Raises `DataError`."""
    bounds = card.get("action_bounds")
    if bounds is None:
        return None
    try:
        return ActionBounds.of(bounds["low"], bounds["high"])
    except (LookupError, TypeError, ValueError) as error:
        advice = "delete the set with `lamo data rm` and get it again"
        raise DamagedDataError(f"the card of {card.get('name')} is damaged (action_bounds)", advice) from error


def vectors_card(content: VectorSet, size: int, facts: Facts) -> dict[str, Any]:
    """Return the card of a vector set whose file has `size` bytes."""
    whole = cut_episodes(content, "correct")
    partial = len(content.rewards) - len(whole.rewards)
    counts = (whole.lengths, whole.returns, int((~whole.terminated).sum()), partial)
    return _card("vector", counts, content.sha256, size, facts)


def frames_card(log: ActionLog, size: int, facts: Facts) -> dict[str, Any]:
    """Return the card of a set with frames that takes `size` bytes; raises `DataError` without a whole episode."""
    partial = is_partial(log) if facts["origin"]["source"] == "dqn-replay" else np.zeros(len(log.table), np.bool_)
    if partial.all():
        raise UnsupportedDataError(f"the set {facts['name']} holds no whole episode", "get a longer part of it")
    table = log.table[~partial]
    returns = table["return"].astype(np.float64)
    cut = int(log.lengths[partial].sum())
    counts = (table["length"].astype(np.int64), returns, int((table["terminated"] == 0).sum()), cut)
    return _card("frames", counts, log.sha256, size, facts)


def _card(
    observation: str,
    counts: tuple[NDArray[np.int64], NDArray[np.float64], int, int],
    digest: str,
    size: int,
    facts: Facts,
) -> dict[str, Any]:
    lengths, returns, time_outs, partial = counts
    return {
        "name": facts["name"],
        "task": facts["task"],
        "observation": observation,
        "episodes": len(lengths),
        "transitions": int(lengths.sum()),
        "time_outs": time_outs,
        "partial_transitions": partial,
        "returns": summary(returns),
        "lengths": summary(lengths.astype(float)),
        "histogram": histogram(returns),
        "reward_unit": facts.get("reward_unit", "raw"),
        "origin": facts["origin"],
        "notes": [*facts.get("notes", ()), *_form_notes(facts)],
        "licence": facts["licence"],
        "log_sha256": digest,
        "log_bytes": size,
        **form_of(facts.get("action_bounds"), facts.get("observation_parts") or ()),
    }


def form_of(bounds: ActionBounds | None, parts: Sequence[Part]) -> dict[str, Any]:
    """Return what a card says of the form that a set was given: bounds of actions and parts of observations, if any."""
    form: dict[str, Any] = {}
    if bounds is not None and bounds.scales:
        form["action_bounds"] = {"low": list(bounds.low), "high": list(bounds.high)}
    if _is_structured(parts):
        form["observation_parts"] = [[part.name, part.width] for part in parts]
    return form


def _form_notes(facts: Facts) -> list[str]:
    bounds, parts = facts.get("action_bounds"), facts.get("observation_parts") or ()
    notes = []
    if bounds is not None and bounds.scales:
        notes.append(f"actions were scaled from {bounds} to -1 to 1; they are scaled back at play")
    if _is_structured(parts):
        named = ", ".join(f"{part.name or 'one choice'} ({part.width})" for part in parts[:12])
        notes.append(f"observations were made flat: {named}" + (", …" if len(parts) > 12 else ""))
    return notes


def _is_structured(parts: Sequence[Part]) -> bool:
    return len(parts) > 1 or any(part.counts for part in parts)
