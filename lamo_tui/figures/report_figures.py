"""The figures of a report: scores with intervals, curves over shares of data, profiles, chances of improvement."""

from __future__ import annotations

from collections.abc import Sequence

from lamo_core.evaluation.intervals import known_interval
from lamo_core.reports.cells import Cell, method_names
from lamo_core.reports.comparison import Curve, Improvement, Profile, curves, improvements, profiles
from lamo_core.reports.paper import paper_curve
from lamo_core.wording import counted
from lamo_tui.figures.drawing import GRID, INK, MUTED, Point, Sheet
from lamo_tui.figures.panel import Axis, Panel, Pen, draw_legend, pens, share_axis, value_axis
from lamo_tui.widgets.charts.scales import format_ticks, linear_ticks

WIDTH = 960
_ROW = 24
_SCORE = "normalised score: 0 is random play, 100 the task's expert"


def report_figures(cells: Sequence[Cell], baseline: str | None = None) -> dict[str, Sheet]:
    """Return the figures that these cells have something to show in, by name."""
    methods = method_names(cells)  # of them all, so that a method looks the same in every figure
    sheets = {"scores": scores_figure(cells)}
    over_shares = curves(cells)
    if over_shares:
        sheets["ratios"] = ratios_figure(over_shares, methods)
    if len(methods) > 1:
        found, chances = profiles(cells), improvements(cells, baseline)
        if found:
            sheets["profiles"] = profiles_figure(found, methods)
        if chances:
            sheets["improvement"] = improvement_figure(chances, methods)
    return sheets


def scores_figure(cells: Sequence[Cell]) -> Sheet:
    """Draw every cell as its mean with its interval, and the paper's score beside it."""
    marked, places = pens(method_names(cells)), list(dict.fromkeys(cell.place for cell in cells))
    left = 40 + max(max(7.2 * len(cell.method), 7.6 * len(_heading(cell))) for cell in cells)
    height = 96 + sum(34 + _ROW * sum(cell.place == place for cell in cells) for place in places) + 56
    sheet = Sheet(WIDTH, round(height), "Scores of every method, task and share of data")
    sheet.word(24, 34, "Scores by task and share of the data", INK, size=18, bold=True)
    published = any(cell.paper for cell in cells)
    words = "dot: mean of the final evaluations, bar: 95 % over seeds and episodes, tick: interquartile mean"
    own = "" if all(cell.papers_data for cell in cells) else ", which had other data"
    sheet.word(24, 56, words + (f", hollow diamond: the paper{own}" if published else ""), MUTED, size=12)
    ends = [end for cell in cells for end in (cell.mean_low, cell.mean_high)]
    ends += [cell.paper.mean for cell in cells if cell.paper]
    axis = value_axis(ends, _SCORE, 8, zero=True)
    panel = Panel(sheet, left, 76, WIDTH - left - 84, height - 76 - 56, axis, Axis(0, 1, ()))
    _draw_columns(panel)
    y = 76.0
    for place in places:
        here = [cell for cell in cells if cell.place == place]
        y += 26
        sheet.word(24, y, _heading(here[0]), INK, size=14, bold=True)
        for cell in here:
            y += _ROW
            _draw_score(panel, cell, y - 4, marked[cell.method])
        y += 8
    return sheet


def _draw_columns(panel: Panel) -> None:
    """Draw the grid and the ticks of an axis that many rows share."""
    bottom = panel.top + panel.height
    for value, label in panel.x.ticks:
        place, _ = panel.at(value, 0)
        panel.sheet.line([(place, panel.top), (place, bottom)], MUTED if value == 0 else GRID, 1)
        panel.sheet.word(place, bottom + 18, label, MUTED, anchor="middle", size=12)
    panel.sheet.word(panel.left + panel.width / 2, bottom + 38, panel.x.name, MUTED, anchor="middle", size=12)


def _heading(cell: Cell) -> str:
    return f"{cell.title}, {100 * cell.ratio:g} % of the data"


def _draw_score(panel: Panel, cell: Cell, y: float, pen: Pen) -> None:
    sheet, colour = panel.sheet, pen.colour
    seeds = counted(len(cell.seeds), "seed")
    sheet.word(panel.left - 12, y + 4, cell.method, INK, anchor="end", size=12.5)
    low, high, middle, iqm = (panel.at(value, 0)[0] for value in (cell.mean_low, cell.mean_high, cell.mean, cell.iqm))
    if known_interval(low, high):
        sheet.line([(low, y), (high, y)], colour, 2.6)
    sheet.line([(iqm, y - 6), (iqm, y + 6)], colour, 1.6)
    sheet.mark(middle, y, pen.mark, colour, 5)
    if cell.paper is not None:
        sheet.mark(panel.at(cell.paper.mean, 0)[0], y, "diamond", MUTED, 4.5, hollow=True)
    sheet.word(WIDTH - 28, y + 4, seeds, MUTED, anchor="end", size=11)


def ratios_figure(found: Sequence[Curve], methods: Sequence[str]) -> Sheet:
    """Draw one panel per task: every method's score over shares of the data, the paper's dashed."""
    drawn = {curve.method for curve in found}
    marked, tasks = pens(methods), list(dict.fromkeys(curve.task for curve in found))
    across = 2 if len(tasks) == 4 else min(3, len(tasks))
    wide, tall = (WIDTH - 40) / across, 300.0
    top = 84.0
    sheet = Sheet(WIDTH, round(top + tall * -(-len(tasks) // across) + 16), "Scores over shares of the data")
    sheet.word(24, 34, "Scores over shares of the data", INK, size=18, bold=True)
    draw_legend(sheet, 24, 58, [(name, pen) for name, pen in marked.items() if name in drawn], WIDTH - 250)
    sheet.word(WIDTH - 24, 34, "bands: 95 %; dashed: the paper, on its own data", MUTED, anchor="end", size=12)
    for number, task in enumerate(tasks):
        mine = [curve for curve in found if curve.task == task]
        corner = 20 + wide * (number % across), top + tall * (number // across)
        _draw_ratio_panel(sheet, mine, marked, corner, (wide, tall))
    return sheet


def _draw_ratio_panel(sheet: Sheet, mine: Sequence[Curve], marked: dict[str, Pen], corner: Point, size: Point) -> None:
    (left, top), (wide, tall) = corner, size
    published = {curve.method: paper_curve(curve.task, curve.method) for curve in mine}
    ratios = [cell.ratio for curve in mine for cell in curve.points]
    span = min(ratios), max(ratios)
    published = {name: [(r, s) for r, s in points if span[0] <= r <= span[1]] for name, points in published.items()}
    values = [end for curve in mine for cell in curve.points for end in (cell.mean_low, cell.mean_high)]
    values += [score.mean for points in published.values() for _, score in points]
    y_axis = value_axis(values, "normalised score" if left < wide / 2 else "", 5, zero=True)
    panel = Panel(sheet, left + 56, top + 26, wide - 76, tall - 92, share_axis(ratios), y_axis)
    panel.draw_axes(mine[0].title)
    for curve in mine:
        pen, xs = marked[curve.method], [cell.ratio for cell in curve.points]
        panel.band(xs, [cell.mean_low for cell in curve.points], [cell.mean_high for cell in curve.points], pen)
        points = published[curve.method]
        panel.curve([ratio for ratio, _ in points], [score.mean for _, score in points], pen, dashed=True)
        panel.curve(xs, [cell.mean for cell in curve.points], pen)


def profiles_figure(found: Sequence[Profile], methods: Sequence[str]) -> Sheet:
    """Draw the share of runs above each score, with bands."""
    pen_of = pens(methods)
    marked = {profile.method: pen_of[profile.method] for profile in found}
    sheet = Sheet(WIDTH, 500, "Performance profiles")
    sheet.word(24, 34, "Performance profiles", INK, size=18, bold=True)
    draw_legend(sheet, 24, 58, list(marked.items()), WIDTH - 48)
    sheet.word(WIDTH - 24, 34, f"{counted(found[0].places, 'setting')}; bands: 95 %", MUTED, anchor="end", size=12)
    limits = found[0].thresholds
    ticks = linear_ticks(limits[0], limits[-1], 8)
    x = Axis(limits[0], limits[-1], tuple(zip(ticks, format_ticks(ticks), strict=True)), "normalised score above")
    y = Axis(0, 1, tuple((share / 4, f"{25 * share}%") for share in range(5)), "share of runs")
    panel = Panel(sheet, 84, 84, WIDTH - 84 - 32, 500 - 84 - 60, x, y)
    panel.draw_axes()
    for profile in found:
        panel.band(limits, profile.low, profile.high, marked[profile.method])
    for profile in found:
        pen = marked[profile.method]
        panel.curve(limits, profile.shares, pen, marks=False)
        every = max(1, len(limits) // 9)
        for place in range(every // 2, len(limits), every):
            sheet.mark(*panel.at(limits[place], profile.shares[place]), pen.mark, pen.colour, 4)
    return sheet


def improvement_figure(chances: Sequence[Improvement], methods: Sequence[str]) -> Sheet:
    """Draw the chance that a run of the first method beats one of each other; `methods` decide the colours."""
    ours, marked = chances[0].method, pens(methods)
    left = 44 + 7.2 * max(len(chance.other) for chance in chances)
    height = 96 + 30 * len(chances) + 66
    sheet = Sheet(WIDTH, height, f"Chance that {ours} does better")
    sheet.word(24, 34, f"Chance that a run of {ours} beats a run of …", INK, size=18, bold=True)
    sheet.word(24, 56, "bars: 95 %; right of the middle line it does better more often than not", MUTED, size=12)
    x = Axis(0, 1, tuple((tenth / 10, f"{10 * tenth}%") for tenth in range(0, 11, 2)), "probability of improvement")
    panel = Panel(sheet, left, 76, WIDTH - left - 40, 30 * len(chances) + 16, x, Axis(0, 1, ()))
    _draw_columns(panel)
    middle, _ = panel.at(0.5, 0)
    sheet.line([(middle, panel.top), (middle, panel.top + panel.height)], INK, 1.2, dashed=True)
    for number, chance in enumerate(chances):
        y = panel.top + 22 + 30 * number
        pen = marked[chance.other]
        low, high, at = (panel.at(value, 0)[0] for value in (chance.low, chance.high, chance.chance))
        sheet.word(left - 12, y + 4, chance.other, INK, anchor="end", size=12.5)
        if known_interval(low, high):  # not where single runs leave it unknown
            sheet.line([(low, y), (high, y)], pen.colour, 2.6)
        sheet.mark(at, y, pen.mark, pen.colour, 5)
    return sheet
