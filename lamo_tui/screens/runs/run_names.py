"""Names of runs as a list shows them: what tells runs of equal names apart is written behind them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from lamo_core.runs.index import RunSummary
from lamo_tui.text import short_id, short_name

_NO_DIFFERENCE = frozenset({"name", "seed", "device"})
"""Settings that a list tells beside the name, or that make no other experiment."""


def distinct_names(runs: Sequence[RunSummary]) -> dict[str, str]:
    """Return each run's name with its seed, by id, such as `atari-breakout-1pct +steps=60 s0`.

    Runs of one name say what was set by hand in some of them, and the end of their id where that tells nothing.
    """
    named: dict[str, list[RunSummary]] = defaultdict(list)
    for run in runs:
        named[run.name or run.id].append(run)
    found: dict[str, str] = {}
    for name, members in named.items():
        extras = _overrides(members) if len(members) > 1 else {}
        for run in members:
            found[run.id] = f"{name}{extras.get(run.id, '')}{_seed(run)}"
    return _with_ids(found)


def _seed(run: RunSummary) -> str:
    return short_name(run).removeprefix(run.name or run.id)


def _overrides(runs: Sequence[RunSummary]) -> dict[str, str]:
    """Return what was set by hand in each of the runs, as far as they differ in it."""
    names = {name for run in runs for name in run.origins.by_hand} - _NO_DIFFERENCE
    values = {name: {repr(run.settings.get(name)) for run in runs} for name in names}
    telling = sorted(name for name, shown in values.items() if len(shown) > 1)
    return {
        run.id: "".join(_override(run.settings, name) for name in telling if name in run.origins.by_hand)
        for run in runs
    }


def _override(settings: Mapping[str, object], name: str) -> str:
    return f" +{name.rpartition('.')[2]}={settings.get(name)}"


def _with_ids(found: Mapping[str, str]) -> dict[str, str]:
    counts: dict[str, int] = defaultdict(int)
    for name in found.values():
        counts[name] += 1
    return {run_id: f"{name} {short_id(run_id)}" if counts[name] > 1 else name for run_id, name in found.items()}
