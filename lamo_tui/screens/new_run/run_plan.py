"""What a choice on the New run screen leads to, as text: plan, command line, data with their histogram."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rich.style import Style
from rich.text import Text

from lamo_core.config import RunConfig
from lamo_core.evaluation.targets import targets_from_returns
from lamo_core.methods import METHODS
from lamo_core.runs.index import RunSummary
from lamo_core.runs.timing.estimate import disk_bytes, estimate, memory_bytes, sized_for
from lamo_core.seeds import shown_seeds
from lamo_core.wording import counted
from lamo_tui.dashboard.new_run_model import DataFacts, NewRuns, descriptions, differences, histogram_lines
from lamo_tui.format import duration, rate
from lamo_tui.text import figure, inked, paragraph, percent, short_id, size
from lamo_tui.themes import Palette

_MOST_DIFFERENCES = 12
_ROOMY = 18
"""Lines from which on the data's card is told beside their histogram."""
_POLICIES = 4


def obstacle_text(lacks: str, explained: tuple[str, str], colours: Palette) -> Text:
    """Draw why a choice cannot run here, and what the ablation under the cursor is; nothing where there is neither."""
    text, (name, description) = Text(), explained
    if lacks:
        text.append(f"✗ cannot start: {lacks}\n", Style(bold=True, color=colours.bad))
    if name:
        text.append("› ", colours.secondary).append(name, Style(bold=True)).append(f": {description}\n", colours.dim)
    return text


def plan_text(
    choice: NewRuns,
    config: RunConfig,
    facts: DataFacts | None,
    runs: Sequence[RunSummary],
    width: int,
    height: int,
    colours: Palette,
) -> Text:
    """Draw name, command, work, time and changes of the preset; little room leaves out what can be missed."""
    dim, model, optim = colours.dim, config.model, config.optim
    text = Text()
    count = len(choice.seeds)
    seeds = f"seeds {shown_seeds(choice.seeds)}: {counted(count, 'run')}" if count > 1 else f"seed {config.seed}"
    text.append(config.name, Style(bold=True)).append(f"   {seeds}   {config.device}\n", dim)
    text.append(f"$ {choice.command()}\n", colours.secondary)
    if height >= 16:
        for name, description in descriptions(choice.spec):
            text.append(f"{name}: {description}\n", dim)
        text.append("\n")
    else:
        text.append_text(_changes(choice, width, colours))
    if METHODS[config.method].memory:
        parts = [model.backbone, _adapter(config), f"{model.embedding} embeddings", f"context {model.context}"]
    else:
        parts = ["no trunk", f"width {config.markov.width}", "the newest observation alone"]
    work = [f"{counted(optim.steps, 'step')} of {counted(optim.batch_size, 'window')}"]
    if facts is not None and facts.transitions:
        seen = optim.steps * optim.batch_size * model.context / facts.transitions
        work += [f"{seen:,.0f} × the data"] if seen >= 2 else []
    weight = config.language.weight
    words = [f"weight {weight:g}", f"from {config.language.source}"] if weight else ["no language loss"]
    rows = {
        "time": _time(choice, config, runs),  # the first two are what is asked most, and little room cuts the end
        "needs": _needs(config, facts, runs, count),
        "work": work,
        "model": parts,
        "words": words,
    }
    for label, row in rows.items():
        text.append_text(paragraph(label, row, width, dim))
    return text.append("\n").append_text(_changes(choice, width, colours)) if height >= 16 else text


def _changes(choice: NewRuns, width: int, colours: Palette) -> Text:
    """Draw what ablations and edits change of the preset."""
    changed, text, dim = differences(choice), Text(), colours.dim
    if not changed:
        return text.append("nothing differs from full LaMo\n", dim)
    text.append("differs from full LaMo\n", Style(bold=True, color=colours.primary))
    for name, old, new, origin in changed[:_MOST_DIFFERENCES]:
        line = Text("  ").append(f"{name:<22}").append(f" {old} → ", dim).append(f"{new}", Style(bold=True))
        line.append(f"  {origin}", dim)
        line.truncate(width, overflow="ellipsis")
        text.append_text(line).append("\n")
    if len(changed) > _MOST_DIFFERENCES:
        text.append(f"  and {len(changed) - _MOST_DIFFERENCES} more\n", dim)
    return text


def _adapter(config: RunConfig) -> str:
    model = config.model
    words = {"lora": f"LoRA rank {model.lora_rank}", "frozen": "frozen trunk", "full": "whole trunk trained"}
    return words[model.adapter]


def _time(choice: NewRuns, config: RunConfig, runs: Sequence[RunSummary]) -> list[str]:
    known, count = estimate(config, runs), len(choice.seeds)
    if known is None:
        budget = sized_for(choice.preset, config)
        if budget is None:
            return ["unknown: no run like it here yet"]
        return [f"about {duration(budget)}", "by its preset, for two cores"]
    status = known.run.status
    together = f" each, {duration(count * known.seconds)} in all" if count > 1 else ""
    return [
        f"about {duration(known.seconds)}{together}",
        *([] if known.evaluations_known else ["without evaluations"]),
        f"like {short_id(known.run.id)}: {rate(status.rate)} steps/s",
        *([f"median of {counted(len(known.runs), 'run')}"] if len(known.runs) > 1 else []),
        status.device,
    ]


def _needs(config: RunConfig, facts: DataFacts | None, runs: Sequence[RunSummary], count: int) -> list[str]:
    memory, disk = memory_bytes(config), disk_bytes(config, runs)
    held = facts.bytes if facts is not None else 0
    return [
        "memory not known" if memory is None else f"up to {size(memory + held)} of memory",
        "disk not known" if disk is None else f"{size(count * disk)} of disk",
    ]


def data_text(
    config: RunConfig, facts: DataFacts | None, problem: str, width: int, height: int, colours: Palette
) -> Text:
    """Draw how much the share holds, and the histogram of its returns over that of the whole set."""
    dim = colours.dim
    text = inked(f"{config.data.set}", Style(bold=True)).append(f"   {percent(config.data.ratio)}\n", dim)
    if facts is None:
        return text.append(problem or "reading the data…", colours.warn if problem else colours.dim)
    episodes = counted(facts.all_episodes, "episode")
    amount = [f"{facts.episodes:,} of {episodes}", counted(facts.transitions, "transition")]
    low, high = figure(float(facts.returns.min())), figure(float(facts.returns.max()))
    returns = [f"mean {figure(float(facts.returns.mean()))}", f"{low} to {high}"]
    returns.append(f"all data {figure(float(facts.all_returns.mean()))}")
    text.append_text(paragraph("holds", [*amount, size(facts.bytes)], width, dim))
    text.append_text(paragraph("return", returns, width, dim))
    text.append_text(paragraph("asks", _targets(config, facts), width, dim))
    if height >= _ROOMY:
        for label, parts in _card(facts.card):
            text.append_text(paragraph(label, parts, width, dim))
        text.append(f"{'card':<8}the Data screen shows all of it\n", dim)
    text.append("\n")
    return text.append_text(_histogram(facts, width, height - text.plain.count("\n"), colours))


def _card(card: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield what the card of the whole set says of how it was made: label and parts."""
    lengths, policies = card.get("lengths"), card.get("policies")
    if lengths:
        low, high = figure(lengths["min"]), figure(lengths["max"])
        yield "length", [f"mean {figure(lengths['mean'])}", f"{low} to {high} decisions"]
    if policies:
        often = sorted(policies, key=lambda policy: -int(policy["episodes"]))
        named = [f"{policy['name']} {policy['episodes']:,}" for policy in often[:_POLICIES]]
        yield "played", [*named, *([f"{len(often) - _POLICIES} more"] if len(often) > _POLICIES else [])]


def _targets(config: RunConfig, facts: DataFacts) -> list[str]:
    if config.eval.targets:
        return [figure(target) for target in config.eval.targets]
    if config.data.rewards == "clipped":
        return ["from the clipped returns"]
    found = targets_from_returns(facts.returns, config.eval.target_quantiles)
    return [part for target in found for part in (f"for {figure(target.value)}", target.origin)]


def _histogram(facts: DataFacts, width: int, height: int, colours: Palette) -> Text:
    """Draw the spread of the chosen returns and that of all, on one axis; one line each where there is little room."""
    text, dim = Text(), Style(color=colours.dim)
    if height < 3 or width < 24:
        return text
    small = height < 7
    bins = max(8, min(40, (width - 9 if small else width) // 2))
    chosen, everything, edges = facts.histogram(bins)
    rows = 1 if small else min(12, (height - 3) // 2)
    across = max(1, (width - 9 if small else width) // bins)
    for title, counts, ink in (("chosen", chosen, colours.primary), ("all", everything, colours.dim)):
        text.append("" if small else f"{title}\n", dim)
        for line in histogram_lines([int(count) for count in np.repeat(counts, across)], rows):
            text.append(line, ink).append(f" {title}\n" if small else "\n", dim)
    low, high = figure(float(edges[0])), figure(float(edges[-1]))
    return text.append(low).append("return".center(max(6, bins * across - len(low) - len(high))), dim).append(high)
