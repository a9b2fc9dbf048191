"""What stands beside the frame: return-to-go, action, attention, and facts about the episode."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical

from lamo_core.wording import counted
from lamo_tui.dashboard.api import dashboard
from lamo_tui.keys.bindings import with_keys
from lamo_tui.replay.episode_state import EpisodeState
from lamo_tui.replay.timelines import expected_text
from lamo_tui.resilience import ResilientWidget
from lamo_tui.text import figure, inked
from lamo_tui.themes import Palette
from lamo_tui.widgets.attention_strip import AttentionStrip
from lamo_tui.widgets.bars import ActionBars
from lamo_tui.widgets.fact_lines import FactLines
from lamo_tui.widgets.gauge import ReturnGauge
from lamo_tui.widgets.words import entitle, subtitle

_HELM = " <replay.left><replay.right><replay.more><replay.less> and <replay.play>; <replay.back> hands back  "
"""The keys of a person who plays."""


class ReplaySide(ResilientWidget, Vertical):
    """The panels of one episode."""

    def __init__(self, *, id: str, hint: str) -> None:
        """`hint` names the keys that choose layer and head."""
        super().__init__(id=id, classes="replay-side")
        self._hint = hint

    def compose(self) -> ComposeResult:
        """Gauge, bars, attention, facts."""
        yield ReturnGauge(classes="panel gauge")
        yield ActionBars(classes="panel action-bars")
        with Vertical(classes="panel attention"):
            yield AttentionStrip()
        yield FactLines(classes="panel facts")

    def on_mount(self) -> None:
        """Name the panels."""
        entitle(self.query_one(ReturnGauge), "return")
        attention = self.query_one(".attention")
        entitle(attention, "attention")
        subtitle(attention, self._hint)
        entitle(self.query_one(".facts"), "episode")

    @property
    def _keymap(self) -> Mapping[str, str]:
        app = dashboard(self.app)
        return app.settings.keymap

    def show(self, state: EpisodeState, name: str, dimension: int) -> None:
        """Show the newest frame of an episode; `name` tells two of them apart."""
        heeded = state.get("heeds", True)
        entitle(self.query_one(ReturnGauge), f"{name}return" + ("" if heeded else " · ignores targets"))
        target, earned, asked = (float(state.get(key, 0.0)) for key in ("target", "earned", "asked"))
        self.query_one(ReturnGauge).show(target, earned, asked)
        self._show_action(state, dimension)
        why_none = with_keys(_no_attention(state), self._keymap)
        self.query_one(AttentionStrip).show(state.get("attention"), why_none)
        title = attention_title(state.get("heads"), state.get("look", (0, 0)))
        entitle(self.query_one(".attention"), title)
        # what never looks back needs no room for it
        self.set_class(bool(state.get("live")) and not state.get("heads"), "-blind")
        facts = self.query_one(FactLines)
        if facts.display:
            facts.show(facts_of(state))

    def _show_action(self, state: EpisodeState, dimension: int) -> None:
        bars, names = self.query_one(ActionBars), list(state.about["actions"])
        values, taken = state.values(), state.get("taken")
        if state.about["discrete"]:
            entitle(bars, _action_title(state))
            bars.show_probabilities(names, values if values is not None else _known(names, taken), taken)
            return
        steering = f"{names[dimension]}: <replay.left> <replay.right> push, <replay.more> <replay.less> another"
        entitle(bars, with_keys(steering, self._keymap) if state.get("controls") else "action")
        shown = taken if state.get("person") and taken is not None else values
        bars.show_actions(names, shown if shown is not None else [math.nan] * len(names))


def _action_title(state: EpisodeState) -> str:
    values = state.values()
    if values is None:
        return "done"
    if values and math.isnan(values[0]):
        return "action · NaN"
    return "the policy would" if state.get("person") else "action"


def _known(names: Sequence[str], taken: int | None) -> list[float]:
    """Return what is known of an action without a policy: only that it was taken, if it was."""
    return [math.nan if taken is None else float(index == taken) for index in range(len(names))]


def attention_title(heads: Sequence[int] | None, look: Sequence[int]) -> str:
    """Return the name of the attention panel: which layer and head of how many it shows."""
    layer, head = look
    if heads is None:
        return "attention"
    if not layer:
        return "attention · mean of all heads"
    of_head = f"head {head}/{heads[1]}" if head else "mean of heads"
    return f"attention · layer {layer}/{heads[0]} {of_head}"


def _no_attention(state: EpisodeState) -> str:
    heads, (layer, head) = state.get("heads"), state.get("look", (0, 0))
    if state.get("over"):
        return "the episode is over"
    if state.about["loading"]:
        return "comes with the policy, which is being loaded"
    if state.about["recorded"] and not state.get("live"):
        goes_on = state.about["goes_on"]
        return "records hold none; <replay.branch> goes on live" if goes_on else "records hold none"
    if heads is None:
        return "this policy does not look back" if state.get("values") is not None else "no policy here"
    if layer > heads[0] or head > heads[1]:
        return f"this policy has {counted(heads[0], 'layer')} of {counted(heads[1], 'head')}"
    if state.get("averaged"):
        return "so long ago only the mean is kept"
    return "decided before this policy looked on"


def facts_of(state: EpisodeState) -> list[tuple[str, str]]:
    """Return what else is known of an episode: names and values."""
    about = state.about
    lines = [
        ("policy", about["label"]),
        ("from", str(Path(*Path(about["source"]).parts[-2:]))),
        ("seed", str(about["seed"])),
        ("played by", "you" if state.get("controls") else "the policy" if state.get("live") else "a record"),
    ]
    if about.get("clipped"):
        lines.append(("raw return", figure(state.raw_return())))
    lines += [(name, figure(float(value))) for name, value in state.get("facts", {}).items()]
    paid, lost = state.paid(), state.lost_lives()
    name = "unusual pay" if state.streams and state.length else "rewards"
    lines.append((name, f"{sum(event < state.at for event in paid)} of {len(paid)}"))
    if lost:
        lines.append(("lives lost", f"{sum(event < state.at for event in lost)} of {len(lost)}"))
    if state.value_kind:
        lines.append((state.value_kind, expected_text(state)))
    entropy = state.entropy()
    if entropy is not None:
        lines.append(("entropy", f"{100 * entropy:.0f} %"))
    return lines


def head_text(
    states: Sequence[EpisodeState],
    playing: bool,
    speed: float,
    chosen: int,
    rate: str,
    width: int,
    keymap: Mapping[str, str],
    colours: Palette,
) -> Text:
    """Return the line on top: what plays, how fast, and where it is."""
    state = states[0]
    ended = state.get("over") and not playing
    sign, word = ("▶", "playing") if playing else ("■", "the end") if ended else ("‖", "paused")
    line = inked(f" {sign} ", Style(bold=True, color=colours.good if playing else colours.warn))
    line.append(f"{word} {speed:g}x  ", Style(bold=True))
    if state.get("controls") or (len(states) > 1 and states[1].get("controls")):
        line.append(" YOU PLAY ", Style(bold=True, reverse=True, color=colours.warn))
        line.append(with_keys(_HELM, keymap), colours.warn)
    elif len(states) == 1:
        line.append(state.about["title"], Style(bold=True, color=colours.primary))
        line.append(f"  {state.about['label']}  ", colours.dim)
        line.append("policy loading… " if state.about["loading"] else "", colours.warn)
    else:
        for number, each in enumerate(states):
            style = Style(bold=number == chosen, reverse=number == chosen, color=colours.series[number])
            line.append(f" {'AB'[number]} {each.about['label']} ", style).append(" ")
    where = f"decision {state.at:,} of {state.length:,}  {clock_text(state.seconds(state.at))}"
    right = f"{where}  {rate} " if rate else f"{where} "
    if width - line.cell_len < len(right):
        right = f"{state.at:,}/{state.length:,} {clock_text(state.seconds(state.at))} "
    line.truncate(max(0, width - len(right)), overflow="ellipsis")
    return line.append(" " * max(0, width - line.cell_len - len(right))).append(right, colours.dim)


def clock_text(seconds: float) -> str:
    """Return a time such as `1:07`, with tenths where it is short."""
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{int(rest):02d}"
