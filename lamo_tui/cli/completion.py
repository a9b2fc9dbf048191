"""What Tab offers after the options and arguments of `lamo`: names that are on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lamo_core.config import RunConfig, field_names
from lamo_core.methods import METHODS
from lamo_core.runs.directory import run_ids
from lamo_core.settings.field_docs import field_docs
from lamo_core.settings.presets import is_preset, preset_names
from lamo_core.sweep.folder import sweep_names

Completion = Callable[[str], list[str] | list[tuple[str, str]]]
"""Takes what is typed so far and returns the words that begin with it, or pairs of such a word and what it is."""


def presets(incomplete: str) -> list[str]:
    """Return presets, such as `atari-breakout-1pct`; after a share that none of the list has, the one with it."""
    listed = _preset_parts("", incomplete)
    return listed or [name for ending in ("", "t", "ct", "pct") if is_preset(name := f"{incomplete}{ending}")][:1]


def methods(incomplete: str) -> list[str]:
    """Return methods, such as `td3+bc`."""
    return _fitting(METHODS, incomplete)


def ablations(incomplete: str) -> list[str]:
    """Return ablations, such as `no-pretraining`."""
    return _preset_parts("ablations", incomplete)


def settings(incomplete: str) -> list[tuple[str, str]]:
    """Return settings with their sign, such as `optim.steps=`, and what each is, which some shells show beside it."""
    docs = field_docs(RunConfig)
    named = ((f"{name}=", docs.get(name, "")) for name in field_names())
    return [(word, text) for word, text in named if word.startswith(incomplete)]


def runs(incomplete: str) -> list[str]:
    """Return `last` and the ids of runs, the newest first."""
    return _fitting(["last", *reversed(run_ids())], incomplete)


def checkpoints(incomplete: str) -> list[str]:
    """Return what `runs` returns, then checkpoints, replays and folders whose path begins so."""
    import glob
    import os

    paths = sorted(glob.glob(f"{glob.escape(incomplete)}*"))
    folders = [f"{path}/" for path in paths if os.path.isdir(path)]
    return [*runs(incomplete), *folders, *(path for path in paths if path.endswith((".pt", ".npz")))]


def sweeps(incomplete: str) -> list[str]:
    """Return `last` and the names of sweeps."""
    return _fitting(["last", *sweep_names()], incomplete)


def sets(incomplete: str) -> list[str]:
    """Return the data sets that are here."""
    from lamo_core.data.sources.manage import all_sets

    return _fitting((found.name for found in all_sets()), incomplete)


def models(incomplete: str) -> list[str]:
    """Return the language models that are here or can be got."""
    from lamo_core.model.hub import available_backbones

    return _fitting((row.name for row in available_backbones()), incomplete)


def devices(incomplete: str) -> list[str]:
    """Return the kinds of devices."""
    return _fitting(("auto", "cpu", "cuda", "mps"), incomplete)


def _preset_parts(kind: str, incomplete: str) -> list[str]:
    return _fitting(preset_names(kind), incomplete)


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
