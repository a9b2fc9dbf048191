"""A data card as text, with a histogram of returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lamo_core.wording import plural
from lamo_tui.format import counted

_WIDTH = 44
BESIDE_BARS = 30
"""Columns that a line of the histogram needs beside its bar."""
_MOST_POLICIES = 12


def card_lines(card: Mapping[str, Any], bars: int = _WIDTH) -> Iterator[str]:
    """Yield the lines of a data card; the longest bar of its histogram has `bars` columns."""
    yield f"{card['name']} · {card['task']}"
    counts = f"{counted(card['episodes'], 'episode')}, {counted(card['transitions'], 'transition')}"
    vectors = card.get("observation") == "vector"
    yield f"{counts}, {card['time_outs']} {'not ended by the task itself' if vectors else 'cut by the time limit'}"
    yield ""
    yield f"returns   {_figures(card['returns'])}"
    yield f"lengths   {_figures(card['lengths'])}"
    yield ""
    yield from _histogram(card["histogram"], bars)
    yield ""
    if "origin" in card:
        yield from _origin_lines(card)
    else:
        yield from _vector_lines(card) if vectors else _atari_lines(card)
        for source in card["behaviour_sources"]:
            yield f"policies  {source}"
    yield f"licence   {card['licence']}"
    yield f"log       {counted(card['log_bytes'], 'byte')}, SHA-256 {card['log_sha256']}"


def _origin_lines(card: Mapping[str, Any]) -> Iterator[str]:
    yield f"source    {card['origin']['source']}"
    for address in card["origin"]["addresses"]:
        yield f"from      {address}"
    yield f"rewards   {card['reward_unit']}"
    if card["partial_transitions"]:
        yield f"left out  {counted(card['partial_transitions'], 'transition')} of episodes that the data cut off"
    for note in card["notes"]:
        yield f"note      {note}"


def _atari_lines(card: Mapping[str, Any]) -> Iterator[str]:
    collection = card["collection"]
    yield "played by"
    for policy in card["policies"]:
        low, high = policy["random_actions"]
        noise = f", {low:.0%} to {high:.0%} random actions" if high else ""
        mean = policy["returns"].get("mean", float("nan"))
        yield (
            f"  {policy['name']:<16}{_episodes(policy, 5)}, mean return {mean:,.1f} ({policy['actions']} action{noise})"
        )
    yield ""
    yield (
        f"emulator  {collection['emulator']}, sticky actions {collection['sticky_actions']}, frame skip "
        f"{collection['frame_skip']}, 0 to {collection['noop_max']} no-op decisions at the start"
    )
    yield f"frames    {collection['frames']}"
    yield f"limit     {counted(collection['max_steps'], 'decision')} per episode; one seed per episode"
    yield f"made by   {collection['command']}"


def _vector_lines(card: Mapping[str, Any]) -> Iterator[str]:
    collection = card["collection"]
    yield "played by"
    policies = card["policies"]
    if len(policies) > _MOST_POLICIES:
        policies = sorted(policies, key=lambda policy: -int(policy["episodes"]))
    for policy in policies[:_MOST_POLICIES]:
        low, high = policy["noise"]
        figures = f"{_episodes(policy, 4)}, mean return {policy['returns']['mean']:,.1f}"
        yield f"  {policy['name']:<16} {figures}" + (f", noise {low:g} to {high:g}" if high else "")
    if len(policies) > _MOST_POLICIES:
        yield f"  and {len(policies) - _MOST_POLICIES} more"
    yield ""
    yield f"simulator {collection['simulator']}; one seed per episode from {collection['first_seed']:,} on"
    yield f"made      {collection['how']}"
    yield f"made by   {collection['command']}"


def _episodes(policy: Mapping[str, Any], width: int) -> str:
    return f"{policy['episodes']:>{width}} {plural('episode', policy['episodes'])}"


def _figures(summary: Mapping[str, float]) -> str:
    named = ", ".join(f"{key} {summary[key]:,.5g}" for key in ("min", "q05", "q25", "q50", "q75", "q95", "max"))
    return f"mean {summary['mean']:,.5g} ± {summary['sd']:,.5g} sd · {named}"


def _histogram(histogram: Mapping[str, list[float]], bars: int) -> Iterator[str]:
    counts, edges = histogram["counts"], histogram["edges"]
    largest = max(counts) or 1
    alone = max(counts) == sum(counts)
    for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        if alone and not count:  # all returns are the same: a scale around them tells nothing
            continue
        bar = "█" * round(bars * count / largest) or ("▏" if count else "")
        yield f"{low:>9,.4g} to {high:>8,.5g} │{bar} {count:g}"
