"""The figures of `lamo analyse`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lamo_core.evaluation.intervals import known_interval
from lamo_tui.figures.drawing import GRID, INK, MUTED, Sheet
from lamo_tui.figures.panel import Axis, Panel, Pen, value_axis
from lamo_tui.widgets.palette import LIGHT

if TYPE_CHECKING:
    from lamo_core.analysis.attention import HeadChange
    from lamo_core.analysis.forgetting import LanguageLoss
    from lamo_core.analysis.movement import Movement
    from lamo_core.analysis.parts import Reliance
    from lamo_core.analysis.target_sweep import Asking

WIDTH = 960
_PEN = Pen(LIGHT[0], "circle")


def asked_figure(asking: Asking) -> Sheet:
    """Draw achieved returns over those asked for, and the line on which they would be equal."""
    sheet = Sheet(WIDTH, 480, "Asked and achieved returns")
    sheet.word(24, 34, "Asked and achieved", INK, size=18, bold=True)
    words = "band: 95 % over episodes; dashed: exactly what was asked; grey: the returns that the data have"
    sheet.word(24, 56, words, MUTED, size=12)
    targets = [score.target for score in asking.scores]
    ends = [end for score in asking.scores for end in (score.low, score.high)]
    x, y = value_axis(targets, "return asked for", 8), value_axis(ends + targets, "achieved")
    panel = Panel(sheet, 84, 76, WIDTH - 120, 330, x, y)
    low, high = (panel.at(end, y.low)[0] for end in (max(asking.data_low, x.low), min(asking.data_high, x.high)))
    sheet.box(low, panel.top, high - low, panel.height, GRID, 0.45)
    panel.draw_axes()
    sheet.line([panel.at(targets[0], targets[0]), panel.at(targets[-1], targets[-1])], MUTED, 1.3, dashed=True)
    panel.band(targets, [score.low for score in asking.scores], [score.high for score in asking.scores], _PEN)
    panel.curve(targets, [score.mean for score in asking.scores], _PEN)
    return sheet


def attention_figure(heads: Sequence[HeadChange], uniform: float) -> Sheet:
    """Draw two grids of layers and heads: the mass on the newest token before and after training."""
    layers, across = 1 + max(head.layer for head in heads), 1 + max(head.head for head in heads)
    side = min(46.0, (WIDTH / 2 - 80) / across)
    sheet = Sheet(WIDTH, round(150 + side * layers), "Attention to the newest token")
    sheet.word(24, 34, "Attention to the newest token alone", INK, size=18, bold=True)
    words = f"share of each head's attention; a head that looks everywhere alike has {uniform:.2f}"
    sheet.word(24, 56, words, MUTED, size=12)
    for title, left, name in (("before training", 64.0, "token_before"), ("after", WIDTH / 2 + 44, "token_after")):
        sheet.word(left, 92, title, INK, size=14, bold=True)
        for head in heads:
            mass = getattr(head, name)
            x, y = left + side * head.head, 104 + side * head.layer
            sheet.box(x, y, side - 2, side - 2, LIGHT[0], 0.06 + 0.88 * mass)
            ink = "#ffffff" if mass > 0.55 else INK
            shown = f"{mass:.2f}".removeprefix("0")
            sheet.word(x + side / 2 - 1, y + side / 2 + 4, shown, ink, anchor="middle", size=11)
        for layer in range(layers):
            sheet.word(left - 10, 104 + side * (layer + 0.5) + 4, str(layer), MUTED, anchor="end", size=11)
        for head_number in range(across):
            x = left + side * (head_number + 0.5) - 1
            sheet.word(x, 104 + side * layers + 16, str(head_number), MUTED, anchor="middle", size=11)
    sheet.word(24, 104 + side * layers + 36, "rows: layers, columns: heads", MUTED, size=12)
    return sheet


def _rule(sheet: Sheet, panel: Panel) -> None:
    """Draw the lines and numbers of an axis along which bars lie."""
    bottom = panel.top + panel.height
    for value, label in panel.x.ticks:
        place, _ = panel.at(value, 0)
        sheet.line([(place, panel.top), (place, bottom)], GRID, 1)
        sheet.word(place, bottom + 18, label, MUTED, anchor="middle", size=12)


def movement_figure(rows: Sequence[Movement]) -> Sheet:
    """Draw how far every module moved, as bars on a logarithmic axis."""
    shown = [row for row in rows if row.relative > 0 and math.isfinite(row.relative)]
    left = 40 + 6.6 * max((len(row.name) for row in shown), default=10)
    sheet = Sheet(WIDTH, 130 + 22 * len(shown), "Which parameters moved")
    sheet.word(24, 34, "Which parameters moved", INK, size=18, bold=True)
    words = "norm of the change over the norm before; of adapters (second colour), over that of their matrix"
    sheet.word(24, 56, words, MUTED, size=12)
    if not shown:
        return sheet
    low = 10.0 ** math.floor(math.log10(min(row.relative for row in shown)))
    high = 10.0 ** math.ceil(math.log10(max(row.relative for row in shown) * 1.001))
    decades = range(round(math.log10(low)), round(math.log10(high)) + 1)
    axis = Axis(low, high, tuple((10.0**power, f"{10.0**power:g}") for power in decades), "relative change", log=True)
    panel = Panel(sheet, left, 72, WIDTH - left - 40, 22 * len(shown) + 8, axis, Axis(0, 1, ()))
    _rule(sheet, panel)
    for number, row in enumerate(shown):
        y = panel.top + 8 + 22 * number
        colour = LIGHT[0] if row.stable_rank is None else LIGHT[1]
        sheet.box(left, y, max(1.0, panel.at(row.relative, 0)[0] - left), 14, colour)
        sheet.word(left - 10, y + 11, row.name, INK, anchor="end", size=11.5)
    return sheet


def reliance_figure(rows: Sequence[Reliance]) -> Sheet:
    """Draw how far decisions move with each part of the input swapped, as bars with intervals."""
    left, high = 150.0, max([row.high for row in rows] or [0.0]) or 1.0
    sheet = Sheet(WIDTH, 140 + 34 * len(rows), "What decisions are made from")
    sheet.word(24, 34, "What decisions are made from", INK, size=18, bold=True)
    words = "how far they move when this part of the input is that of another window; line: 95 % over windows"
    sheet.word(24, 56, words, MUTED, size=12)
    axis = value_axis([0.0, high], "decisions moved", 8)
    panel = Panel(sheet, left, 72, WIDTH - left - 40, 34 * len(rows) + 8, axis, Axis(0, 1, ()))
    _rule(sheet, panel)
    start, _ = panel.at(0, 0)
    for number, row in enumerate(rows):
        y = panel.top + 10 + 34 * number
        sheet.box(start, y, max(1.0, panel.at(row.moved, 0)[0] - start), 18, LIGHT[0])
        if known_interval(row.low, row.high):
            sheet.line([(panel.at(row.low, 0)[0], y + 9), (panel.at(row.high, 0)[0], y + 9)], INK, 1.6)
        sheet.word(left - 10, y + 13, row.part, INK, anchor="end", size=12)
    return sheet


def forgetting_figure(points: Sequence[LanguageLoss]) -> Sheet:
    """Draw the language loss over steps."""
    sheet = Sheet(WIDTH, 420, "Language loss")
    sheet.word(24, 34, "Language loss on held-out words", INK, size=18, bold=True)
    steps, losses = [float(point.step) for point in points], [point.loss for point in points]
    panel = Panel(sheet, 84, 64, WIDTH - 120, 290, value_axis(steps, "step", 8), value_axis(losses, "nats per word"))
    panel.draw_axes()
    panel.curve(steps, losses, _PEN)
    return sheet
