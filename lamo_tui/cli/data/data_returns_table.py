"""The returns that a data set holds beside those that a policy is asked for, as a table."""

from __future__ import annotations

from dataclasses import asdict

from lamo_core.config import RunConfig
from lamo_core.data.open_data import open_data
from lamo_core.data.target_coverage import AskedReturn, SeenReturns, return_scale, seen_returns
from lamo_core.data.windows import returns_to_go
from lamo_core.evaluation.targets import choose_targets
from lamo_core.wording import counted, plural
from lamo_tui.cli.output import emit_json, emit_table, say
from lamo_tui.cli.progress import progress


def print_returns(preset: str, config: RunConfig, *, as_json: bool) -> None:
    """Print what a preset's policy reads from its data and what it is asked for; raises `LamoError`."""
    kind, rewards = config.model.return_to_go, config.data.rewards
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
