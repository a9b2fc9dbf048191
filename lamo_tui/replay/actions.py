"""What the keys of the Replay screen do that takes more than a command to the player."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

from rich.style import Style

from lamo_core.errors import UsageError
from lamo_core.player.episode_export import check_ending
from lamo_core.wording import counted
from lamo_tui.keys.bindings import with_keys
from lamo_tui.replay.panels import attention_title
from lamo_tui.replay.request import Request
from lamo_tui.replay.source_picker import Sources, sources_of
from lamo_tui.replay.stage import ReplayStage
from lamo_tui.screens.dialogs import Entry
from lamo_tui.text import figure
from lamo_tui.widgets.pixel_view import PixelView

NO_POLICY = "this record has no policy beside it that could be asked"
_NUDGE = 0.05
"""Share of the target that an arrow key changes it by."""


def nudge_target(screen: ReplayStage, direction: int) -> None:
    """Ask for a little more or less, at least one point."""
    assert screen.chosen is not None
    if not screen.chosen.about["goes_on"]:
        screen.notify(NO_POLICY, timeout=3)
        return
    if not screen.chosen.get("heeds", True):
        screen.notify("this policy ignores targets: it does the same whatever is asked for", timeout=3)
    target = float(screen.chosen.get("target", 0.0))
    step = max(1.0, float(f"{abs(target) * _NUDGE:.1g}"))
    screen.tell("target", side=screen.side, value=round(target + direction * step, 6))


def ask_target(screen: ReplayStage) -> None:
    """Ask which return to ask for, while the episode goes on."""
    state = screen.chosen
    if state is None:
        return
    if not state.about["goes_on"]:
        screen.notify(f"{NO_POLICY}; <replay.control> lets you play", timeout=4)
        return
    hints = [f"earned so far: {figure(float(state.get('earned', 0.0)))}"]
    if not state.get("heeds", True):
        hints.append("this policy ignores targets: it does the same whatever is asked for")
    elif state.about["targets"]:
        hints.append(f"the data suggest {', '.join(map(figure, state.about['targets']))}")
    if not state.get("over") and state.at < state.length:
        hints.append(with_keys("the episode branches here; <replay.undo> goes back", screen.keymap))

    def take(text: str | None) -> None:
        if text is not None:
            screen.tell("target", side=screen.side, value=parse_target(text))

    value = f"{float(state.get('target', 0.0)):g}"
    screen.app.push_screen(Entry("Ask for which return, from here on?", value, parse_target, " · ".join(hints)), take)


def parse_target(text: str) -> float:
    """Return a return target; raises `UsageError`."""
    try:
        value = float(text.replace(",", ""))
    except ValueError as error:
        raise UsageError(f"a return target is a number, not {text!r}") from error
    if not math.isfinite(value):
        raise UsageError("a return target is a finite number")
    return value


def go_to_event(screen: ReplayStage, kind: str, direction: int) -> None:
    """Put the playhead right after the next or the previous reward or lost life of the chosen episode."""
    state = screen.chosen
    if state is None:
        return
    place = state.next_event(state.paid() if kind == "reward" else state.lost_lives(), direction)
    if place is None:
        where = "after" if direction > 0 else "before"
        what = "reward" if kind == "reward" else "lost life"
        screen.notify(f"no {what} {where} this in what has been played", timeout=2)
        return
    screen.tell("pause")
    screen.tell("seek", to=place)


def look_at(screen: ReplayStage, part: str, by: int) -> None:
    """Show the attention of the next or previous layer or head, or the mean over all, which comes before the first.

    Heads belong to a layer: whoever asks for one of all layers gets the last layer's, which decides.
    """
    state = screen.chosen
    if state is None:
        return
    heads = state.get("heads")
    if heads is None:
        live = "; <replay.branch> goes on live" if state.about["goes_on"] else ""
        why = "this policy does not look back" if state.get("live") else f"records hold no attention{live}"
        screen.notify(why, timeout=3)
        return
    layer, head = screen.look
    if part == "layer":
        layer = (layer + by) % (heads[0] + 1)
        head = head if layer else 0
    else:
        layer, head = layer or heads[0], (head + by) % (heads[1] + 1)
    screen.look = layer, head
    screen.tell("look", layer=layer, head=head)
    if not screen.query_one(f"#side-{screen.side} AttentionStrip").is_on_screen:
        screen.notify(attention_title(heads, screen.look), timeout=2)


def toggle_second(screen: ReplayStage) -> None:
    """Choose a second episode of the same seed, or close the one that is there."""
    if len(screen.states) == 2:
        screen.tell("shut")
        del screen.states[1:]
        screen.side = 0
        screen.remove_class("-two")
        screen.call_after_refresh(screen._redraw)
    elif screen.states:
        choose_source(screen, 1)


def choose_source(screen: ReplayStage, side: int) -> None:
    """Show what can be played, and play what is chosen."""
    task = screen.states[0].about["task"] if side == 1 else None
    run = screen.run_of_source()
    found = sources_of(run, screen.lamo.snapshot.runs, task)

    def take(path: str | None) -> None:
        if path is None:
            return
        options = {"seed": screen.states[0].about["seed"]} if side == 1 else {}
        screen.open(Request(path, options, play=side == 0 or screen.playing), side)

    title = "Play beside it, with the same seed" if side == 1 else "Play"
    cursor = Style(bgcolor=screen.colours.cursor)
    screen.app.push_screen(Sources(title, found, screen.lamo.root, cursor), take)


def ask_file(screen: ReplayStage) -> None:
    """Ask where to keep the chosen episode."""
    state = screen.chosen
    if state is None:
        return
    name = f"{state.about['task']}-{state.about['seed']}-{time.strftime('%H%M%S')}.gif"

    def check(text: str) -> None:
        check_ending(Path(text.strip()))

    def take(text: str | None) -> None:
        if text is not None:
            screen.tell("pause")
            screen.tell("save", side=screen.side, path=str(Path(text.strip()).absolute()))

    hint = ".gif and .mp4 are films, .cast plays in terminals (asciinema), .npz is a replay for lamo"
    screen.app.push_screen(Entry(f"Keep the {counted(state.length, 'decision')} so far as", name, check, hint), take)


def next_seed(screen: ReplayStage, by: int) -> None:
    """Play the same policies with another seed."""
    if screen.request is None or not screen.states:
        return
    if screen.states[0].about["recorded"]:
        screen.notify("a record has one seed; <replay.list> lists the policies that can play live", timeout=3)
        return
    seed = max(0, int(screen.states[0].about["seed"]) + by)
    sources = [state.about["source"] for state in screen.states]
    playing = screen.playing
    for side, source in enumerate(sources):
        options = screen.request.options | {"seed": seed}
        screen.open(replace(screen.request, source=source, options=options, play=playing), side)


def toggle_pixels(screen: ReplayStage) -> None:
    """Draw with pixels or half blocks from now on."""
    app = screen.lamo
    if app.graphics is None and app.pixels is None:
        screen.notify("this terminal draws no pixels, as far as it says; --pixels kitty insists", timeout=4)
        return
    app.graphics = None if app.graphics is not None else app.pixels
    for view in screen.query(PixelView):
        view.change(graphics=app.graphics, covered=False)
    screen.notify("real pixels" if app.graphics is not None else "half blocks", timeout=2)
