"""Losses on unseen episodes in reports: per method, and seed by seed against another one."""

from __future__ import annotations

import json
import math

import pytest

from lamo_core.places import runs_dir
from lamo_core.reports.cells import make_cells
from lamo_core.reports.held_out import UnseenLoss, unseen_losses
from lamo_core.reports.results import gather, read_result, result_of
from lamo_core.runs.directory import RunDirectory
from tests.reports.conftest import Trained
from tests.reports.test_report_command import lamo

PONG = "atari-pong-1pct"


def losses_of(*runs: RunDirectory, baseline: str | None = None) -> dict[str, UnseenLoss]:
    return {row.method: row for row in unseen_losses(make_cells(map(read_result, runs)), baseline)}


def pairs(trained: Trained, ours: dict[int, float | None], theirs: dict[int, float | None]) -> list[RunDirectory]:
    runs = [trained(PONG, seed, [1.0], unseen=loss) for seed, loss in ours.items()]
    return runs + [trained(PONG, seed, [1.0], unseen=loss, ablations=["frozen"]) for seed, loss in theirs.items()]


def test_the_change_is_told_seed_by_seed(trained: Trained) -> None:
    # seeds differ by far more than methods do; one seed is of one method alone
    runs = pairs(trained, {0: 1.0, 1: 0.1}, {0: 1.1, 1: 0.12, 2: 5.0})
    found = losses_of(*runs)
    assert (found["lamo"].loss, found["lamo"].seeds, found["lamo"].other) == (pytest.approx(0.55), 2, "")
    frozen = found["lamo +frozen"]
    assert (frozen.seeds, frozen.loss, frozen.other) == (3, pytest.approx(6.22 / 3), "lamo")
    assert frozen.change == pytest.approx(math.sqrt(1.1 * 1.2) - 1)
    assert frozen.change_low < frozen.change < frozen.change_high
    assert frozen.change_low > 0
    turned = losses_of(*runs, baseline="lamo +frozen")["lamo"]
    assert turned.change == pytest.approx(1 / math.sqrt(1.1 * 1.2) - 1)


def test_what_was_not_measured_is_left_out(trained: Trained) -> None:
    found = losses_of(*pairs(trained, {0: None, 1: 0.5}, {0: 0.4}))
    assert (found["lamo"].seeds, found["lamo"].loss) == (1, 0.5)
    assert math.isnan(found["lamo"].low)
    # no seed is shared
    assert found["lamo +frozen"].other == ""
    assert math.isnan(found["lamo +frozen"].change)
    assert losses_of(*pairs(trained, {3: None}, {3: None})) == {}


def test_a_loss_of_nought_is_no_ratio(trained: Trained) -> None:
    found = losses_of(*pairs(trained, {0: 0.0, 1: 0.5}, {0: 0.4, 1: 0.25}))
    assert found["lamo +frozen"].change == pytest.approx(-0.5)
    assert math.isnan(found["lamo +frozen"].change_low)


def test_records_without_the_loss_are_read(trained: Trained) -> None:
    record = gather(trained(PONG, 0, [1.0], unseen=0.25))
    assert result_of(record).metrics == {"loss/unseen": 0.25}
    record.pop("metrics")
    assert result_of(record).metrics == {}
    with pytest.raises(ValueError, match="metric"):
        result_of({**record, "metrics": {"loss/unseen": "low"}})


def test_the_report_shows_the_losses(trained: Trained) -> None:
    pairs(trained, {0: 1.0, 1: 0.1}, {0: 1.1, 1: 0.12})
    text = lamo("--part", "unseen", "--markdown").stdout
    assert "| Pong | 1 % | lamo +frozen | 2 | 0.6100 [" in text
    assert "Against lamo (95 %)" in text
    assert "+14.9 % [" in text
    rows = json.loads(lamo("--json").stdout)["unseen"]
    assert [row["method"] for row in rows] == ["lamo", "lamo +frozen"]


def test_reports_without_such_losses_leave_the_table_out(trained: Trained) -> None:
    pairs(trained, {0: None, 1: None}, {0: None, 1: None})
    assert "unseen" not in lamo("--markdown").stdout


def test_the_constant_guess_and_the_best_step_stand_beside_the_loss(trained: Trained) -> None:
    trained(PONG, 0, [1.0], unseen=1.0, constant=1.25, best_step=3)
    trained(PONG, 1, [1.0], unseen=2.0, constant=1.75, best_step=7)
    found = losses_of(*map(RunDirectory, sorted(runs_dir().iterdir())))["lamo"]
    assert (found.constant, found.best_steps) == (1.5, (3, 7))
    text = lamo("--part", "unseen", "--markdown").stdout
    assert "| 1.5000 | 3 to 7 |" in text
    old = gather(trained(PONG, 2, [1.0], unseen=1.0))
    old.pop("metrics")
    assert result_of(old).metrics == {}
