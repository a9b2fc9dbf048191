"""What a choice on the New run screen leads to, as text: plan, command line, data with their histogram."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.style import Style
from rich.text import Text

from lamo_core.config import RunConfig
from lamo_core.evaluation.targets import targets_from_returns
from lamo_core.runs.index import RunSummary
from lamo_tui.choices import Choice, DataFacts, differences, estimate, histogram_lines
from lamo_tui.cli.output import duration, rate
from lamo_tui.text import figure, fit, inked, percent, short_id, size
from lamo_tui.themes import Palette

_MOST_DIFFERENCES = 12


def plan_text(
    choice: Choice,
    config: RunConfig,
    facts: DataFacts | None,
    runs: Sequence[RunSummary],
    width: int,
    colours: Palette,
) -> Text:
    """Draw name, command, size, time, and what differs from the preset."""
    dim, strong = Style(color=colours.dim), Style(bold=True, color=colours.primary)
    text = Text()
    text.append(config.name, Style(bold=True)).append(f"   seed {config.seed}   {config.device}\n", dim)
    text.append(f"$ {choice.command()}\n\n", colours.secondary)
    model, optim = config.model, config.optim
    text.append("model   ", dim)
    text.append(f"{model.backbone} · {_adapter(config)} · {model.embedding} · context {model.context}\n")
    text.append("work    ", dim).append(f"{optim.steps:,} steps of {optim.batch_size} windows")
    if facts is not None and facts.transitions:
        seen = optim.steps * optim.batch_size * min(model.context, 10**9) / facts.transitions
        text.append(f" · {seen:,.0f} × the data" if seen >= 2 else "", dim)
    text.append("\ntime    ", dim).append_text(_time(config, runs, colours)).append("\n")
    weight = config.language.weight
    text.append("words   ", dim)
    text.append(
        f"language loss, weight {weight:g}, from {config.language.source}\n" if weight else "no language loss\n"
    )
    changed = differences(choice)
    text.append("\n")
    if not changed:
        return text.append(f"nothing differs from the preset {choice.preset}", dim)
    text.append(f"differs from the preset {choice.preset}\n", strong)
    for name, old, new, origin in changed[:_MOST_DIFFERENCES]:
        text.append(f"  {name:<26}").append(f"{old} → ", dim).append(f"{new}", Style(bold=True))
        text.append(f"  {fit(origin, max(8, width - 44))}\n", dim)
    if len(changed) > _MOST_DIFFERENCES:
        text.append(f"  and {len(changed) - _MOST_DIFFERENCES} more\n", dim)
    return text


def _adapter(config: RunConfig) -> str:
    model = config.model
    words = {"lora": f"LoRA rank {model.lora_rank}", "frozen": "frozen trunk", "full": "whole trunk trained"}
    return words[model.adapter]


def _time(config: RunConfig, runs: Sequence[RunSummary], colours: Palette) -> Text:
    known = estimate(config, runs)
    if known is None:
        return Text("unknown: no run like it in this folder yet", colours.dim)
    text = inked(f"about {duration(known.seconds)}", Style(bold=True))
    status = known.run.status
    return text.append(f" · like {short_id(known.run.id)}: {rate(status.rate)} steps/s on {status.device}", colours.dim)


def data_text(
    config: RunConfig, facts: DataFacts | None, problem: str, width: int, height: int, colours: Palette
) -> Text:
    """Draw how much the share holds, and the histogram of its returns over that of the whole set."""
    dim, strong = Style(color=colours.dim), Style(bold=True, color=colours.primary)
    text = inked(f"{config.data.set}", Style(bold=True)).append(f"   {percent(config.data.ratio)}\n", dim)
    if facts is None:
        return text.append(problem or "reading the data…", colours.warn if problem else colours.dim)
    text.append(f"{facts.episodes:,}", strong).append(f" of {facts.all_episodes:,} episodes   ", dim)
    text.append(f"{facts.transitions:,}", strong).append(" transitions", dim)
    text.append(f"   {size(facts.frame_bytes)}\n", dim)
    spread = f"{figure(float(facts.returns.min()))} to {figure(float(facts.returns.max()))}"
    text.append("mean return ", dim).append(figure(float(facts.returns.mean())), strong)
    text.append(f" (all data {figure(float(facts.all_returns.mean()))}), {spread}\n", dim)
    text.append("return asked for ", dim).append(_targets(config, facts) + "\n", strong)
    return text.append("\n").append_text(_histogram(facts, width, height - 6, colours))


def _targets(config: RunConfig, facts: DataFacts) -> str:
    if config.eval.targets:
        return ", ".join(f"{target:g}" for target in config.eval.targets)
    if config.data.rewards == "clipped":
        return "from the clipped returns"
    found = targets_from_returns(facts.returns, config.eval.target_quantiles)
    return ", ".join(f"{target.value:g} ({target.origin})" for target in found)


def _histogram(facts: DataFacts, width: int, height: int, colours: Palette) -> Text:
    text, dim = Text(), Style(color=colours.dim)
    if height < 4 or width < 20:
        return text
    bins = max(8, min(40, width // 2))
    chosen, everything, edges = facts.histogram(bins)
    rows = max(1, min(6, (height - 3) // 2))
    across = max(1, width // bins)
    for title, counts, ink in (("chosen", chosen, colours.primary), ("all data", everything, colours.dim)):
        text.append(f"{title}\n", dim)
        for line in histogram_lines([int(count) for count in np.repeat(counts, across)], rows):
            text.append(line + "\n", Style(color=ink))
    low, high = figure(float(edges[0])), figure(float(edges[-1]))
    return text.append(low).append("return".center(max(6, bins * across - len(low) - len(high))), dim).append(high)
