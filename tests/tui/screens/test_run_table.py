"""Names and columns of the list of runs, without an app."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lamo_core.runs.index import RunSummary, list_runs
from lamo_core.runs.status import Derived
from lamo_tui.screens.runs.run_columns import COLUMNS, ORDERS, RunRow, chosen_columns, table_columns
from lamo_tui.screens.runs.run_names import distinct_names
from lamo_tui.screens.runs.run_table import layout
from lamo_tui.text import time_left
from lamo_tui.themes import DARK, palette
from tests.tui.made_runs import make_run

LONG = "atari-breakout-1pct+no-pretraining"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunSummary]:
    root = tmp_path_factory.mktemp("table")
    for number, (total, seed, ablations) in enumerate(
        [(60, 0, ()), (150, 0, ()), (150, 1, ()), (150, 1, ()), (60, 0, ("no-pretraining",))]
    ):
        name = f"20261118-10000{number}-x-s{seed}-z00{number}"
        make_run(root, name, steps=3, total=total, seed=seed, ending="finished", ablations=ablations)
    return list_runs(root)[::-1]


def test_runs_of_one_name_are_told_apart_by_what_was_set_by_hand_and_else_by_their_id(runs: list[RunSummary]) -> None:
    assert list(distinct_names(runs).values()) == [
        "atari-breakout-1pct +steps=60 s0",
        "atari-breakout-1pct +steps=150 s0",
        "atari-breakout-1pct +steps=150 s1 z002",
        "atari-breakout-1pct +steps=150 s1 z003",
        f"{LONG} s0",
    ]
    assert distinct_names(runs[:1])[runs[0].id] == "atari-breakout-1pct s0"  # alone it needs nothing


@pytest.mark.parametrize("width", [60, 79, 120, 200])
def test_names_have_what_they_need_before_columns_that_can_be_missed(width: int) -> None:
    for name in (10, 30, 55, 300):
        places = {column.name: room for column, room in layout(width, name).places}
        assert sum(places.values()) + len(places) - 1 <= width
        assert places["run"] >= min(name, max(25, width // 2)) or places.keys() == {"", "state", "run", "return"}
    assert layout(400, 60).places[2][1] == 60
    assert [column.name for column, _ in layout(400, 60).places] == [column.name for column in COLUMNS]
    ordered_by = [column.name for column, _ in layout(width, 300, "took").places]
    assert "took" in ordered_by


def test_chosen_columns_stand_in_their_order_and_are_complete(runs: list[RunSummary]) -> None:
    chosen = chosen_columns(("id", "score"))
    assert [column.name for column in chosen] == ["", "state", "run", "score", "id"]
    row = RunRow(
        runs[0], "a s0", selected=False, pinned=False, age=5.0, colours=palette(DARK, {"background": "#000000"})
    )
    line = layout(200, 20, columns=chosen).draw(row).plain
    assert "finished" in line
    assert line.endswith("z000")
    assert "━" not in layout(200, 20).draw(row).plain  # no bar on what is finished


def test_the_table_has_a_column_for_each_setting_that_differs(runs: list[RunSummary]) -> None:
    names = [column.name for column in table_columns(runs)]
    assert names[-2:] == ["backbone", "steps"]
    assert "seed" not in names
    row = RunRow(
        runs[4], "a s0", selected=False, pinned=False, age=5.0, colours=palette(DARK, {"background": "#000000"})
    )
    assert layout(200, 20, columns=table_columns(runs)).draw(row).plain.split()[-2:] == ["random:mini", "60"]


def test_what_is_not_known_comes_last_in_every_order(runs: list[RunSummary]) -> None:
    known = replace(runs[0], status=replace(runs[0].status, held_out_loss=0.5))
    worse = replace(runs[1], status=replace(runs[1].status, held_out_loss=0.9))
    assert sorted([runs[2], worse, known], key=ORDERS["held-out"]) == [known, worse, runs[2]]


def test_a_run_has_no_seconds_left_in_its_final_evaluation(runs: list[RunSummary]) -> None:
    active = replace(runs[0], derived=Derived("running"))
    training = replace(active, status=replace(runs[0].status, phase="training", step=30, total=60, eta=12.0))
    assert time_left(training) == 12.0
    ends = replace(active, status=replace(runs[0].status, phase="evaluation", step=60, total=60, eta=0.0))
    assert time_left(ends) is None
    assert time_left(replace(training, derived=Derived("finished"))) is None
