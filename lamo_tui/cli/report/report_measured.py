"""Tables of what was measured beside returns: losses on unseen episodes, what decisions are made from."""

from __future__ import annotations

from collections.abc import Callable

from lamo_core.analysis.parts import PARTS as SEEN
from lamo_core.evaluation.intervals import bracketed
from lamo_core.reports.held_out import UnseenLoss, unseen_losses
from lamo_core.reports.reliance_table import PartShare, method_reliances
from lamo_tui.cli.report.report_table import Report, Table
from lamo_tui.format import known


def unseen_table(report: Report) -> Table:
    """Return the losses on episodes that were not trained on."""
    found = unseen_losses(report.cells, report.baseline)
    other = next((row.other for row in found if row.other), "")
    against = f"Against {other} (95 %)" if other else "Change"
    shown: dict[str, Callable[[UnseenLoss], str]] = {
        "Task": lambda row: row.title,
        "Data": lambda row: f"{100 * row.ratio:g} %",
        "Method": lambda row: row.method,
        "Seeds": lambda row: str(row.seeds),
        "Loss on unseen episodes (95 %)": lambda row: (
            f"{row.loss:.4f}{bracketed(row.low, row.high, '{:.4f}'.format, ' [-]')}"
        ),
    }
    note = (
        "Loss after training on the actions of episodes that the share leaves out: squared error of actions between -1 "
        "and 1, or cross-entropy in nats. Mean over seeds with a 95 % bootstrap interval; the change is the geometric "
        "mean over the seeds that both methods have, on the same episodes. Methods with a memory are measured on whole "
        "windows, those without one on single steps; value-based methods were never asked to predict actions."
    )
    if any(row.constant == row.constant for row in found):
        shown["Constant"] = lambda row: known(row.constant, ".4f")
        note += " Constant: the same loss of a guess that is always the same."
    if any(row.best_steps for row in found):
        shown["Step"] = _steps
        note += " Step: the best one on held-out steps of the training data, whose weights were measured, or the last."
    shown[against] = lambda row: _change(row) if row.other else "-"
    columns = tuple(shown)
    return Table(columns, [[tell(row) for tell in shown.values()] for row in found], note, columns[3:])


def _steps(row: UnseenLoss) -> str:
    if row.best_steps is None:
        return "last"
    first, last = row.best_steps
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"


def _change(row: UnseenLoss) -> str:
    interval = bracketed(row.change_low, row.change_high, lambda end: f"{100 * end:+.1f}", " [-]")
    return f"{100 * row.change:+.1f} %{interval}"


def reliance_table(report: Report) -> Table:
    """Return what the decisions of every method are made from."""
    rows = [
        [
            row.title,
            f"{100 * row.ratio:g} %",
            row.method,
            str(row.seeds),
            *(_part(row.parts[part]) if part in row.parts else "-" for part in SEEN),
        ]
        for row in method_reliances(report.cells)
    ]
    note = (
        "How far decisions move when one part of what the policy sees is that of another window, as a share of how far "
        "they move when all of it is. Mean over seeds with a 95 % bootstrap interval; measured after training on "
        "windows of its data by `lamo analyse RUN --part reliance --keep`. Earlier actions are a policy's own mistakes "
        "when it plays."
    )
    columns = ("Task", "Data", "Method", "Seeds", *(part.capitalize() for part in SEEN))
    return Table(columns, rows, note, columns[3:])


def _part(share: PartShare) -> str:
    return f"{100 * share.mean:.0f} %{bracketed(share.low, share.high, lambda end: f'{100 * end:.0f}', ' [-]')}"
