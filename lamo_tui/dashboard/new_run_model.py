"""What a new run can be: presets taken apart into task, variant and ratio, and what a choice leads to. No Textual."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.config import DataConfig
from lamo_core.data.subset import select_episodes
from lamo_core.engine.run_spec import METHOD, RunSpec
from lamo_core.errors import UsageError
from lamo_core.runs.compare import config_difference
from lamo_core.seeds import shown_seeds
from lamo_core.settings.preset_parts import (
    PLAIN,
    PresetParts,
    named_ratios,
    preset_tasks,
    require_variant,
    shortest_name,
    take_apart,
)
from lamo_core.settings.presets import Resolved, load_preset
from lamo_core.settings.unused import idle_settings

if TYPE_CHECKING:
    from lamo_core.data.formats.segmentation import Cutting

DEVICES = ("auto", "cpu", "cuda", "mps")
_SHARE = 0.01
_FIRST = RunSpec("atari-breakout-1pct")


@dataclass(frozen=True)
class NewRuns:
    """What was picked on the New run screen: a run for each seed."""

    spec: RunSpec = _FIRST
    """All but the seed; names a preset, if not always one that there is."""
    seeds: tuple[int, ...] = (0,)

    @property
    def preset(self) -> str:
        """The preset's name."""
        assert self.spec.preset is not None
        return self.spec.preset

    @property
    def parts(self) -> PresetParts:
        """What the preset is about, its share of the data always said."""
        parts = take_apart(self.preset)
        ratio = _resolved(RunSpec(self.preset)).config.data.ratio if parts.ratio is None else parts.ratio
        return replace(parts, ratio=ratio)

    @property
    def ratio(self) -> float:
        """The share of the data."""
        return self.parts.ratio or 1.0

    @property
    def ratios(self) -> list[float]:
        """The shares of data to offer: those recommended for the task, and the one that was picked."""
        return sorted({self.ratio, *named_ratios([self.parts.task])})

    @property
    def method(self) -> str:
        """The method, also where the preset's is meant."""
        return self.spec.method or METHOD

    def picking(
        self, task: str, ratio: float, *, method: str = METHOD, variant: str = PLAIN, **changes: Any
    ) -> NewRuns:
        """Return other runs: of this task, share of data, variant of presets and method, and with further changes."""
        preset, overlay = shortest_name(task, ratio, variant), None if method == METHOD else method
        return replace(self, spec=replace(self.spec, preset=preset, method=overlay, **changes))

    def with_edit(self, name: str, text: str) -> NewRuns:
        """Return runs with one setting changed by hand; raises `UsageError` when that cannot be."""
        return replace(self, spec=self.spec.with_setting(name, text))

    def run(self, seed: int) -> RunSpec:
        """Return the run of a seed, without what the preset says anyway."""
        base, device = _resolved(RunSpec(self.preset)).config, self.spec.device
        return replace(
            self.spec, seed=None if seed == base.seed else seed, device=None if device == base.device else device
        )

    def runs(self) -> list[RunSpec]:
        """Return all runs."""
        return [self.run(seed) for seed in self.seeds]

    def resolve(self) -> Resolved:
        """Return the first run's complete config; raises `UsageError`."""
        parts = take_apart(self.preset)
        require_variant(parts.task, parts.variant)
        return _resolved(self.run(self.seeds[0]))

    def command(self, *, waiting: bool = False) -> str:
        """Return the command that does the same in a shell; `waiting` lets a single run go through the queue too."""
        if len(self.seeds) > 1:
            spec = replace(self.run(self.seeds[0]), seed=None)
            return shlex.join([*spec.to_argv(), "--seeds", shown_seeds(self.seeds)])
        return shlex.join([*self.run(self.seeds[0]).to_argv(), "--queue" if waiting else "--detach"])


@functools.lru_cache(256)
def _resolved(spec: RunSpec) -> Resolved:
    return spec.resolve()


def runs_of(preset: str) -> NewRuns:
    """Return what the screen shows of a preset."""
    parts = NewRuns(RunSpec(preset)).parts
    assert parts.ratio is not None  # never None there
    return NewRuns().picking(parts.task, parts.ratio, variant=parts.variant)


def runs_on(task: str, data_set: str, source: str) -> NewRuns:
    """Return runs of a task on a data set, by 1 % of it where that is a share to offer; `source` empty is bundled.

    Raises `UsageError` where no preset is of the task.
    """
    if task not in preset_tasks():
        named = f"--set data.set={data_set}" + (f" --set data.source={source}" if source else "")
        raise UsageError(
            f"no preset is of {task or 'a task that the set does not say'}; train with: lamo train {named}"
        )
    ratios = named_ratios([task])
    runs = NewRuns().picking(task, _SHARE if _SHARE in ratios else ratios[0])
    preset = runs.resolve().config.data
    wanted = {"data.set": (data_set, preset.set), "data.source": (source or "bundled", preset.source)}
    changed = tuple(f"{name}={value}" for name, (value, given) in wanted.items() if value != given)
    return replace(runs, spec=replace(runs.spec, settings=changed))


def differences(wanted: NewRuns) -> list[tuple[str, Any, Any, str]]:
    """Return (setting, preset's value, value, origin) for what ablations and edits change and the run reads."""
    base, mine = _resolved(RunSpec(wanted.preset)), wanted.resolve()
    idle = idle_settings(mine.config) | {"name"}
    rows = config_difference([base.config.to_dict(), mine.config.to_dict()])
    return [(name, old, new, mine.origins.get(name, "")) for name, (old, new) in rows.items() if name not in idle]


@functools.lru_cache(64)
def descriptions(spec: RunSpec) -> list[tuple[str, str]]:
    """Return what preset, method and ablations say of themselves."""
    names = [(spec.preset, ""), (spec.method, "methods"), *((ablation, "ablations") for ablation in spec.ablations)]
    return [(name, description_of(name, kind)) for name, kind in names if name is not None]


@functools.lru_cache(256)
def description_of(name: str, kind: str = "") -> str:
    """Return what a preset, or a method or ablation where `kind` says so, says of itself."""
    return load_preset(name, kind).description


@dataclass(frozen=True)
class DataFacts:
    """What a share of a data set holds."""

    name: str
    episodes: int
    all_episodes: int
    transitions: int
    all_transitions: int
    returns: NDArray[np.float64]
    """(E,) of the chosen episodes."""
    all_returns: NDArray[np.float64]
    observation_bytes: int
    card: Mapping[str, Any] = field(default_factory=dict)
    """What the set says of itself."""

    @property
    def bytes(self) -> int:
        """What the observations take in memory: one per transition and the last of each episode."""
        return (self.transitions + self.episodes) * self.observation_bytes

    def histogram(self, bins: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return counts (bins,) of chosen and of all episodes, and the edges (bins + 1,)."""
        edges = np.histogram_bin_edges(self.all_returns, bins)
        return np.histogram(self.returns, edges)[0], np.histogram(self.all_returns, edges)[0], edges


def data_facts(config: DataConfig, seed: int) -> DataFacts:
    """Return what the share holds; takes a second at first. Raises `UsageError`, `MissingError` or `DataError`."""
    lengths, returns, observation_bytes, card = _content(config.source, config.set, config.cutting)
    chosen = select_episodes(lengths, config.ratio, seed, config.subset, config.ratio_rounding)
    return DataFacts(
        config.set,
        len(chosen),
        len(returns),
        int(lengths[chosen].sum()),
        int(lengths.sum()),
        returns[chosen],
        returns,
        observation_bytes,
        card,
    )


@functools.lru_cache(16)
def _content(
    source: str, name: str, cutting: Cutting
) -> tuple[NDArray[np.int64], NDArray[np.float64], int, Mapping[str, Any]]:
    """Return lengths and returns (E,) of a set's episodes, the bytes of one observation, and the set's card."""
    from lamo_core.data.sources.resolve import find_set, set_contents

    found = find_set(source, name)
    return (*set_contents(found, cutting), found.card())


def histogram_lines(counts: Sequence[int], height: int) -> list[str]:
    """Return a bar per count, drawn with eighths, as `height` lines from top to bottom."""
    top = max(max(counts, default=0), 1)
    lines = []
    for row in range(height, 0, -1):
        eighths = [round(8 * height * count / top) - 8 * (row - 1) for count in counts]
        # even a single episode is seen
        least = [1 if row == 1 and count else 0 for count in counts]
        lines.append("".join(" ▁▂▃▄▅▆▇█"[min(8, max(low, part))] for part, low in zip(eighths, least, strict=True)))
    return lines
