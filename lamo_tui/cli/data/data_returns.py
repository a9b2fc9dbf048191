"""`lamo data returns`: what return-to-go a preset's policy learns from, and what it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lamo_core.errors import UsageError
from lamo_core.settings.presets import resolve
from lamo_core.wording import counted, plural
from lamo_tui.cli.output import emit_json, emit_table, say
from lamo_tui.cli.parameters import AblationOption, PresetArgument, SettingOption
from lamo_tui.cli.progress import progress

if TYPE_CHECKING:
    from lamo_core.data.target_coverage import AskedReturn, SeenReturns

RETURNS_EPILOG = (
    "Examples:  lamo data returns kitchen-complete-30pct   ·   "
    "lamo data returns kitchen-complete-30pct --ablation official-kitchen-rewards --json"
)


def returns(
    preset: PresetArgument,
    ablation: AblationOption = None,
    setting: SettingOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Compare the returns that a preset asks for with its data's. Nothing is trained.

    A target that the data show only at the end of their episodes, or nowhere, says little to a policy.
    """
    from dataclasses import asdict

    from lamo_core.data.sources import open_data
    from lamo_core.data.target_coverage import return_scale, seen_returns
    from lamo_core.data.windows import returns_to_go
    from lamo_core.evaluation.targets import choose_targets

    config = resolve(preset, ablation or [], settings=setting or []).config
    kind, rewards = config.model.return_to_go, config.data.rewards
    if kind == "none":
        raise UsageError(f"{preset} with these settings asks for no return; leave out what sets model.return_to_go")
    with progress() as report:
        store = open_data(config.data, config.task, config.seed, report)
    scale = return_scale(store, rewards, config.model.return_scale)
    targets = choose_targets(config.eval, store.returns(rewards))
    found = seen_returns(store, returns_to_go(store, kind, rewards), scale, targets)
    counts = {"preset": preset, "episodes": len(store.lengths), "transitions": store.transitions}
    if as_json:
        emit_json({**counts, **asdict(found)})
        return
    say(
        f"{preset}: {counted(len(store.lengths), 'episode')}, {counted(int(store.transitions), 'transition')}; what "
        "the policy reads, "
        f"returns divided by {scale:g}"
    )
    _say(found)


def _say(found: SeenReturns) -> None:
    columns = ["", "min", "5 %", "median", "95 %", "max"]
    rows = [
        ["data, first decisions", *(f"{value:.4g}" for value in found.firsts)],
        ["data, all decisions", *(f"{value:.4g}" for value in found.all)],
    ]
    emit_table(columns, rows, right=columns[1:])
    for asked in found.asked:
        say(_sentence(asked, found.median_length))


def _sentence(asked: AskedReturn, length: float) -> str:
    start = f"asked for {asked.target:g}, read as {asked.seen:.4g}:"
    if not asked.decisions_left:
        return f"{start} in the data more than that is to go until the end of most episodes"
    return (
        f"{start} {100 * asked.as_much:.3g} % of the data's decisions have as much to go; once no more is, "
        f"{asked.decisions_left:g} of an episode's {length:g} {plural('decision', length)} are left (medians)"
    )
