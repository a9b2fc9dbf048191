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
from lamo_core.preset_parts import PLAIN, named_ratios, shortest_name, take_apart
from lamo_core.presets import Resolved, load_preset
from lamo_core.runs.compare import config_difference
from lamo_core.seeds import shown_seeds
from lamo_tui.dashboard.run_actions import METHOD, Recipe

if TYPE_CHECKING:
    from lamo_core.data.formats.segmentation import Cutting

DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class Choice:
    """What was picked on the New run screen."""

    task: str = "atari-breakout"
    variant: str = PLAIN
    ratio: float = 0.01
    method: str = METHOD
    ablations: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    """One run each; several go through the queue."""
    device: str = "auto"
    edits: tuple[tuple[str, str], ...] = field(default=())
    """Settings that were changed by hand: dotted name and text."""

    @property
    def preset(self) -> str:
        """The preset of this task, variant and share; raises `UsageError` when there is none."""
        return shortest_name(self.task, self.ratio, self.variant)

    @property
    def ratios(self) -> list[float]:
        """The shares of data to offer: those recommended for the task, and the one that was chosen."""
        return sorted({self.ratio, *named_ratios([self.task])})

    @property
    def flags(self) -> dict[str, Any]:
        """What the preset does not say: first seed and device, where they differ from it."""
        base = resolved(self.preset).config
        flags: dict[str, Any] = {}
        if self.seeds[0] != base.seed:
            flags["seed"] = self.seeds[0]
        if self.device != base.device:
            flags["device"] = self.device
        return flags

    @property
    def settings(self) -> list[str]:
        """The edits as `--set` takes them."""
        return [f"{name}={value}" for name, value in self.edits]

    def with_edit(self, name: str, text: str) -> Choice:
        """Return the choice with one setting changed by hand; raises `UsageError` when that cannot be."""
        edits = {**dict(self.edits), name: text}
        edited = replace(self, edits=tuple(edits.items()))
        edited.resolve()
        return edited

    def resolve(self) -> Resolved:
        """Return the complete config; raises `UsageError`."""
        return resolved(self.preset, self.ablations, tuple(self.settings), tuple(self.flags.items()), self.method)

    def recipe(self) -> Recipe:
        """Return what a run is made from, without its seed."""
        flags = {name: value for name, value in self.flags.items() if name != "seed"}
        return Recipe(self.preset, self.method, self.ablations, tuple(self.settings), flags)

    def command(self, *, waiting: bool = False) -> str:
        """Return the command that does the same in a shell; `waiting` lets a single run go through the queue too."""
        if len(self.seeds) > 1:
            return shlex.join([*self.recipe().words(), "--seeds", shown_seeds(self.seeds)])
        words = replace(self.recipe(), flags=self.flags).words()
        return shlex.join([*words, "--queue" if waiting else "--detach"])


@functools.lru_cache(256)
def resolved(
    preset: str,
    ablations: tuple[str, ...] = (),
    settings: tuple[str, ...] = (),
    flags: tuple[tuple[str, Any], ...] = (),
    method: str = METHOD,
) -> Resolved:
    """Return `presets.resolve` of the same arguments, remembered."""
    return Recipe(preset, method, ablations, settings, dict(flags)).resolve()


def choice_of(preset: str) -> Choice:
    """Return the choice that leads to a preset."""
    parts = take_apart(preset)
    return Choice(parts.task, parts.variant, resolved(preset).config.data.ratio)


def differences(choice: Choice) -> list[tuple[str, Any, Any, str]]:
    """Return (setting, preset's value, value, origin) for what ablations and edits change."""
    base, mine = resolved(choice.preset), choice.resolve()
    rows = config_difference([base.config.to_dict(), mine.config.to_dict()])
    return [(name, old, new, mine.origins.get(name, "")) for name, (old, new) in rows.items() if name != "name"]


@functools.lru_cache(64)
def descriptions(choice: Choice) -> list[tuple[str, str]]:
    """Return what preset, method and ablations say of themselves."""
    names = [(choice.preset, ""), *([(choice.method, "methods")] if choice.method != METHOD else [])]
    names += [(ablation, "ablations") for ablation in choice.ablations]
    return [(name, load_preset(name, kind).description) for name, kind in names]


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
    from lamo_core.data.subset import select_episodes

    lengths, returns, observation_bytes, card = _content(config.source, config.set, config.cutting)
    chosen = select_episodes(lengths, config.ratio, seed, config.subset)
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
