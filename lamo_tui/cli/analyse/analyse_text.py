"""How findings of an analysis are printed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lamo_core.evaluation.intervals import spanned
from lamo_tui.cli.output import console, emit_table, say
from lamo_tui.format import known

if TYPE_CHECKING:
    from lamo_core.analysis.attention import HeadChange
    from lamo_core.analysis.findings import Findings
    from lamo_core.analysis.forgetting import LanguageLoss
    from lamo_core.analysis.movement import Movement
    from lamo_core.analysis.parts import Reliance
    from lamo_core.analysis.target_sweep import Asking
    from lamo_core.analysis.trunk import TrunkMeasure

_BAR = 24
_NOTABLE = 0.1
"""Nats that a full bar of what was forgotten stands for at least: less is hardly a difference."""
MARKOV = 0.5
"""A head that gives the newest token more than this share of its attention counts as a Markov head."""


def print_findings(found: Findings) -> None:
    """Print every part that was found out, with a line between them."""
    first = True
    parts: tuple[tuple[object, Callable[[], None]], ...] = (
        (found.movement, lambda: _movement(found.movement or [])),
        (found.trunk, lambda: _trunk(found.trunk or ())),
        (found.attention, lambda: _attention(found.attention or [], found.uniform or (0.0, 0.0))),
        (found.reliance, lambda: _reliance(found.reliance or [])),
        (found.forgetting, lambda: _forgetting(found.forgetting or [])),
        (found.asked, lambda: _asked(found.asked) if found.asked else None),
    )
    for present, show in parts:
        if present is not None:
            if not first:
                say()
            show()
            first = False


def trunk_columns(measures: Sequence[TrunkMeasure]) -> list[str]:
    """Return what the columns of trunks are called."""
    return ["size"] if len(measures) == 1 else ["size before", "size after"]


def trunk_lines(measure: TrunkMeasure) -> list[str]:
    """Return what was measured of a trunk in plain lines."""
    lines = [
        f"residual growth by block: {', '.join(f'{size:.2f}' for size in measure.growth) or '-'}",
        f"cosine of the last residual to the input: {known(measure.cosine, '.2f')}",
        f"share of output power that tells inputs apart: {measure.told_apart:.2f}",
        f"effective rank of outputs: {measure.rank:.0f} of at most {measure.most_rank}",
    ]
    return [*lines, *([f"note: {measure.verdict}"] if measure.verdict else [])]


def _trunk(measures: Sequence[TrunkMeasure]) -> None:
    for when, measure in zip(["trunk"] if len(measures) == 1 else ["before", "after"], measures, strict=True):
        say(when)
        for line in trunk_lines(measure):
            say(f"  {line}")
    console().print(
        "on 200 random inputs of a policy's size; growth is the norm of the residual stream over that of the input",
        style="dim",
        markup=False,
    )


def _movement(rows: list[Movement]) -> None:
    top = max((row.relative for row in rows if math.isfinite(row.relative)), default=1.0)
    table = [
        [
            row.name,
            f"{row.parameters:,}",
            f"{100 * row.relative:.3g} %" if math.isfinite(row.relative) else "from 0",
            _bar(row.relative / top) if top and math.isfinite(row.relative) else "",
            None if row.stable_rank is None else f"{row.stable_rank:.1f}",
        ]
        for row in rows
    ]
    emit_table(["module", "trained", "moved", "", "rank"], table, right=["trained", "moved", "rank"])
    console().print(
        "moved: norm of the change over the norm before; of adapters, over that of the matrix they are added to. "
        "rank: directions that an adapter's change uses (its stable rank)",
        style="dim",
        markup=False,
    )


def _attention(heads: list[HeadChange], uniform: tuple[float, float]) -> None:
    rows: list[list[object]] = []
    mixed = any(head.weight != 1.0 for head in heads)
    for layer in sorted({head.layer for head in heads}):
        mine = [head for head in heads if head.layer == layer]
        tokens = [[head.token_before for head in mine], [head.token_after for head in mine]]
        steps = [[head.step_before for head in mine], [head.step_after for head in mine]]
        markov = [str(sum(mass > MARKOV for mass in masses)) for masses in tokens]
        rows.append(
            [
                layer,
                " → ".join(f"{sum(masses) / len(mine):.3f}" for masses in tokens),
                " → ".join(f"{sum(masses) / len(mine):.3f}" for masses in steps),
                f"{' → '.join(markov)} of {len(mine)}",
                " → ".join("".join(map(_shade, masses)) for masses in tokens),
                *([f"{min(head.weight for head in mine):.2f} to {max(head.weight for head in mine):.2f}"] * mixed),
            ]
        )
    columns = ["layer", "newest token", "newest step", "Markov heads", "heads", *["mixing"] * mixed]
    emit_table(columns, rows, right=["layer"])
    mixing = "; mixing: the least and the most that the layer makes of a head, 1 on average" if mixed else ""
    console().print(
        f"share of attention from the deciding token to itself and to its step, before → after training; a head that "
        f"looks everywhere alike has {uniform[0]:.3f} and {uniform[1]:.3f}; Markov heads give the newest token more "
        f"than {MARKOV:g}{mixing}",
        style="dim",
        markup=False,
    )


def _reliance(rows: list[Reliance]) -> None:
    table = [
        [
            row.part,
            f"{row.moved:.3f}",
            spanned(row.low, row.high, "{:.3f}".format),
            f"{100 * row.share:.0f} %",
            _bar(row.share),
        ]
        for row in rows
    ]
    emit_table(["part", "moved", "95 %", "of all", ""], table, right=["moved", "of all"])
    console().print(
        "how far decisions move when this part of what the policy sees is that of another window: total variation of "
        "discrete actions, root mean square of continuous ones; earlier actions are its own mistakes when it plays",
        style="dim",
        markup=False,
    )


def _forgetting(points: list[LanguageLoss]) -> None:
    low = points[0].loss
    top = max(_NOTABLE, *(point.loss - low for point in points))
    rows = [
        [
            "before" if point.step == 0 else f"{point.step:,}",
            f"{point.loss:.3f}",
            f"{math.exp(min(point.loss, 700)):,.1f}",
            f"{round(point.loss - low, 3) + 0.0:+.3f}",  # no minus before a zero
            _bar(max(0.0, point.loss - low) / top),
        ]
        for point in points
    ]
    columns = ["step", "language loss", "perplexity", "forgotten", ""]
    emit_table(columns, rows, right=columns[:4])
    console().print("next-word cross-entropy in nats on held-out words, at the checkpoints that were kept", style="dim")


def _asked(asking: Asking) -> None:
    top = max(max(score.target, score.mean) for score in asking.scores)
    rows = []
    for score in asking.scores:
        where = "" if asking.data_low <= score.target <= asking.data_high else "beyond the data"
        interval = spanned(score.low, score.high, "{:.4g}".format)
        bar = _bar(score.mean / top if top > 0 else 0.0, mark=score.target / top if top > 0 else None)
        rows.append([f"{score.target:g}", f"{score.mean:.4g}", interval, bar, where])
    emit_table(["asked", "achieved", "95 %", "", "note"], rows, right=["asked", "achieved"])
    order = "-" if asking.rank_correlation is None else f"{asking.rank_correlation:.2f}"
    console().print(
        f"rank correlation of asked and achieved {order}; ┃ is what was asked; the data have returns from "
        f"{asking.data_low:g} to {asking.data_high:g}",
        style="dim",
        markup=False,
    )


def _bar(share: float, mark: float | None = None) -> str:
    full = round(_BAR * min(1.0, max(0.0, share)))
    cells = ["█"] * full + ["·"] * (_BAR - full)
    if mark is not None:
        cells[min(_BAR - 1, max(0, round(_BAR * mark) - 1))] = "┃"
    return "".join(cells)


def _shade(mass: float) -> str:
    return "▁▂▃▄▅▆▇█"[min(7, int(8 * mass))]
