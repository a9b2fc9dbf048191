"""Labels of experiments: method, ablations and settings changed by hand, from resolved settings and their origins.

A run's name is a word that anybody may choose, so nothing is read from it. An ablation counts as far as it decides a
setting: one whose settings were all set otherwise is none, and settings set by hand to what an ablation sets are that
ablation. What else was set by hand, or changed later, and differs from what preset, method and ablations lead to is
told setting by setting.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from lamo_core.config import RunConfig
from lamo_core.errors import LamoError
from lamo_core.runs.compare import flatten
from lamo_core.runs.evaluations import Change
from lamo_core.settings.preset_parts import all_presets
from lamo_core.settings.presets import JOINED, lineage_names, overlay_settings, preset_names, resolve
from lamo_core.settings.unused import idle_settings

NONE = "none"
"""The ablation of runs that have none."""
_SAME_EXPERIMENT = (
    "name", "seed", "device", "precision", "checkpoint.every", "checkpoint.keep", "eval.every", "eval.episodes",
    "eval.final_episodes", "eval.seed", "optim.steps", "optim.micro_batch_size", "data.memory_gb",
)  # fmt: skip
"""Settings in which the runs of one experiment may differ; the steps that were taken are told beside them."""
_TOLD_BESIDE = frozenset(
    {"method", "task.name", "task.id", "task.version", "data.source", "data.set", "data.ratio", "eval.unseen_episodes"}
)
"""Settings that stand in columns of their own, and one that decides nothing."""
_ABLATION, _METHOD, _PRESET = "ablation ", "method ", "preset "
_HAND = ("--set", "command line", "file")
_NAMED = 4
"""Settings that a label names; it counts the others."""

Settings = Mapping[str, Any]
"""Resolved settings by dotted name."""


@dataclass(frozen=True)
class Label:
    """What a run is, other than its task, its data and its seed."""

    method: str
    ablations: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """Settings that were set by hand or changed later, as `name=value`."""

    def __str__(self) -> str:
        """Return it as reports name a method, such as `lamo +frozen (model.context=7)`."""
        changed = f" ({self.shown_changes})" if self.changed else ""
        return "".join([self.method, *(f" +{name}" for name in self.ablations), changed])

    @property
    def ablation(self) -> str:
        """The ablations, joined by `+`; `none` without any."""
        return "+".join(self.ablations) or NONE

    @property
    def shown_changes(self) -> str:
        """The changed settings in one line."""
        more = len(self.changed) - _NAMED
        return ", ".join([*self.changed[:_NAMED], *([f"{more} more"] if more > 0 else [])])


@dataclass(frozen=True)
class Origins:
    """Which places decided the settings of a run, without those that presets and defaults did."""

    decided: Mapping[str, str]
    """The place by the setting: an ablation, a method, or a hand."""
    presets: tuple[str, ...] = ()
    complete: bool = False
    """Whether it is known of every setting what decided it."""

    @classmethod
    def of(cls, origins: object) -> Origins:
        """Return what a run's origins say; what is no text says nothing."""
        found = origins if isinstance(origins, Mapping) else {}
        # every overlay adds to the name, which decides nothing
        texts = {str(name): origin for name, origin in found.items() if isinstance(origin, str) and name != "name"}
        known = {name: origin for name, origin in texts.items() if origin.isprintable() and name.isprintable()}
        presets = {origin.removeprefix(_PRESET) for origin in known.values() if origin.startswith(_PRESET)}
        decided = {
            # where a file of settings lies is nobody's business
            name: "file" if origin.startswith("file ") else origin
            for name, origin in known.items()
            if origin.startswith((_ABLATION, _METHOD, *_HAND))
        }
        plain = any(origin == "default" or origin.startswith(_PRESET) for origin in known.values())
        return cls(decided, tuple(sorted(presets)), plain)

    @property
    def by_hand(self) -> frozenset[str]:
        """The settings that somebody set for this run: by `--set`, by the command line or by a file."""
        return frozenset(name for name, place in self.decided.items() if place in _HAND)

    def to_record(self) -> dict[str, list[str]]:
        """Return the settings by place, as short as a file of results wants them."""
        found: dict[str, list[str]] = {"default": []} if self.complete else {}
        found |= {f"{_PRESET}{name}": [] for name in self.presets}
        for name, origin in sorted(self.decided.items()):
            found.setdefault(origin, []).append(name)
        return found

    @classmethod
    def from_record(cls, record: object) -> Origins:
        """Return what `to_record` wrote; another form says nothing."""
        found = record if isinstance(record, Mapping) else {}
        places = {str(place): names for place, names in found.items() if isinstance(names, list)}
        named = {place: place for place, names in places.items() if not names}
        return cls.of(named | {str(name): place for place, names in places.items() for name in names})


def label_of(settings: Settings, origins: Origins, changes: Sequence[Change] = ()) -> Label:
    """Return the label of a run from its settings, what decided them, and what was changed after it began."""
    method, task = str(settings.get("method")), str(settings.get("task.name"))
    asked = _asked_ablations(origins)
    expected = _expected(settings, origins, method, task, asked)
    own = experiment_settings(settings)
    differing = {name: own[name] for name in own if own[name] != expected.get(name) and name not in _TOLD_BESIDE}
    by_hand = {name: value for name, value in differing.items() if _is_by_hand(name, origins, method)}
    # of records that do not say what decided a setting, it may have been an ablation and nothing more is known
    pool = {name for name in differing if origins.decided.get(name, "" if origins.complete else _HAND[0]) in _HAND}
    meant = _meant_ablations(own, expected, pool, task)
    explained = {name for values in meant.values() for name in values}
    idle = _idle(settings) if by_hand else frozenset()
    told = (name for name in sorted(by_hand) if name not in explained and name not in idle)
    changed = [f"{name}={_shown(by_hand[name])}" for name in told]
    changed += [str(change) for change in changes if is_experiment(change.name)]
    return Label(method, tuple(sorted({*asked, *meant})), tuple(changed))


def experiment_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings that make a run another experiment, unlike its seed; those that it lacks as they are now."""
    return {name: value for name, value in {**_defaults(), **settings}.items() if is_experiment(name)}


def is_experiment(name: str) -> bool:
    """Return whether runs that differ in a setting are different experiments."""
    return not name.startswith(_SAME_EXPERIMENT)


def experiment_key(settings: Settings, changes: Iterable[Change] = ()) -> tuple[str, ...]:
    """Return what is equal for runs of one experiment, whatever their seeds and names."""
    own = [f"{name}={_shown(value)}" for name, value in sorted(experiment_settings(settings).items())]
    return (*own, *(str(change) for change in changes if is_experiment(change.name)))


def _asked_ablations(origins: Origins) -> list[str]:
    """Return the ablations that decide some setting."""
    places = {place for origin in origins.decided.values() for place in origin.split(JOINED)}
    return sorted(place.removeprefix(_ABLATION) for place in places if place.startswith(_ABLATION))


def _is_by_hand(name: str, origins: Origins, method: str) -> bool:
    """Return whether a setting is not what the method leads to because somebody wanted it so."""
    origin = origins.decided.get(name, "")
    if origin.startswith(_METHOD):
        return origin != f"{_METHOD}{method}"
    if origin in _HAND:
        return True
    # a method that was set as a bare word brings none of its settings
    return not origin and origins.decided.get("method") in _HAND


def _meant_ablations(own: Settings, expected: Settings, pool: Set[str], task: str) -> dict[str, dict[str, Any]]:
    """Return the ablations to which settings were brought by hand, with the settings that each changes."""
    fitting = {}
    for name in _ablation_names() if pool and expected else ():
        given = _ablation_settings(name, task, expected)
        changes = {setting: value for setting, value in given.items() if value != expected.get(setting)}
        holds = all(own.get(setting) == value for setting, value in given.items())
        if changes and holds and all(setting in pool for setting in changes):
            fitting[name] = changes
    meant: dict[str, dict[str, Any]] = {}
    for name in sorted(fitting, key=lambda name: (-len(fitting[name]), name)):
        if not any(setting in taken for taken in meant.values() for setting in fitting[name]):
            meant[name] = fitting[name]
    return meant


def _expected(settings: Settings, origins: Origins, method: str, task: str, ablations: Sequence[str]) -> Settings:
    """Return the settings that preset, method and ablations lead to today; empty where they are not here."""
    if origins.complete or origins.presets:
        found = _plain_settings(_leaf(origins.presets), method, task)
    else:
        found = _nearest(settings, method, task)
    expected = dict(found)
    for name in ablations if expected else ():
        expected |= _ablation_settings(name, task, expected)
    return expected


def _nearest(settings: Settings, method: str, task: str) -> Settings:
    """Return the settings of the preset that a run is most like, for runs that do not say what they began with."""
    own = experiment_settings(settings)
    presets = [None, *(parts.name for parts in all_presets() if parts.task == task)]
    choices = [_plain_settings(preset, method, task) for preset in presets]
    return min(choices, key=lambda choice: sum(choice.get(name) != value for name, value in own.items()))


@functools.lru_cache(256)
def _leaf(presets: tuple[str, ...]) -> str | None:
    """Return the preset that inherits from all the others; "" where that is none that is here."""
    try:
        return next((name for name in presets if set(presets) <= set(lineage_names(name))), "") if presets else None
    except LamoError:
        return ""


@functools.lru_cache(256)
def _plain_settings(preset: str | None, method: str, task: str) -> Settings:
    """Return what a preset and a method lead to; empty where they are not here."""
    try:
        resolved = resolve(preset, settings=[f"task.name={task}"], method=method)
    except LamoError:
        return {}
    return flatten(resolved.config.to_dict())


def _ablation_settings(name: str, task: str, before: Settings) -> dict[str, Any]:
    """Return what an ablation sets over the settings before it."""
    try:
        return overlay_settings(name, "ablations", task, before)
    except LamoError:  # one of another version, or a task whose environment is not here
        return {}


def _idle(settings: Settings) -> frozenset[str]:
    """Return the settings that a run does not read; none of a run of another version."""
    nested: dict[str, Any] = {}
    for name, value in settings.items():
        group, _, leaf = name.rpartition(".")
        (nested.setdefault(group, {}) if group else nested)[leaf] = value
    try:
        return idle_settings(RunConfig.from_dict(nested))
    except LamoError:
        return frozenset()


@functools.cache
def _ablation_names() -> tuple[str, ...]:
    return tuple(preset_names("ablations"))


@functools.cache
def _defaults() -> dict[str, Any]:
    return flatten(RunConfig().to_dict())


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and value.isprintable() else json.dumps(value)
