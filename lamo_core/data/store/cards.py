"""Cards of sets that came from elsewhere: what is in them, where they are from, and what was done to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.formats.action_log import ActionLog
from lamo_core.data.formats.card import histogram, summary
from lamo_core.data.formats.segmentation import cut_episodes
from lamo_core.data.formats.vector_file import VectorSet
from lamo_core.data.store.frame_set import is_partial
from lamo_core.errors import DataError

Facts = Mapping[str, Any]
"""`name`, `task`, `licence`; `origin` (source, addresses, hashes); optional `notes` and `reward_unit`."""


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
        raise DataError(f"the set {facts['name']} holds no whole episode; get another one")
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
        "notes": list(facts.get("notes", ())),
        "licence": facts["licence"],
        "log_sha256": digest,
        "log_bytes": size,
    }
