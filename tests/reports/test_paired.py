"""Comparisons seed by seed, and what intervals of few runs are worth."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from lamo_core.evaluation.statistics import nested_interval
from lamo_core.reports.cells import Cell, make_cells
from lamo_core.reports.comparison import improvements, overall
from lamo_core.reports.paired import differences
from lamo_core.reports.results import read_result
from lamo_core.runs.directory import RunDirectory
from lamo_core.tasks.registry import get_task
from tests.reports.conftest import Trained
from tests.reports.test_report_command import lamo

PONG = "atari-pong-1pct"
POINT = 100 / (9.3 + 20.7)
"""One point of Pong on the scale of scores."""


def cells_of(*runs: RunDirectory) -> list[Cell]:
    return make_cells(map(read_result, runs))


def pong(trained: Trained, ours: dict[int, float], theirs: dict[int, float], preset: str = PONG) -> list[RunDirectory]:
    runs = [trained(preset, seed, [value]) for seed, value in ours.items()]
    return runs + [trained(preset, seed, [value], ablations=["frozen"]) for seed, value in theirs.items()]


def test_only_runs_with_the_same_seed_are_compared(trained: Trained) -> None:
    # seeds differ by far more than methods do, and one method lacks a seed
    runs = pong(trained, {0: -20.0, 1: 0.0, 2: 9.0}, {0: -21.0, 1: -3.0, 3: 20.0})
    (found,) = differences(cells_of(*runs))
    assert (found.method, found.other) == ("lamo", "lamo +frozen")
    assert (found.tasks, found.pairs, found.unlike, found.better) == (1, 2, 0, 2)
    assert found.mean == pytest.approx(2.0 * POINT)
    # of two seeds' differences 1 and 3 the resampled means are 1, 2 and 3, spread by the root of 2
    assert found.low == pytest.approx((2 - math.sqrt(2)) * POINT)
    assert found.high == pytest.approx((2 + math.sqrt(2)) * POINT)
    (turned,) = differences(cells_of(*runs), "lamo +frozen")
    assert (turned.mean, turned.better) == (pytest.approx(-2.0 * POINT), 0)


def test_shares_of_one_tasks_data_count_as_one_difference(trained: Trained) -> None:
    runs = pong(trained, {0: 1.0, 1: 1.0}, {0: 0.0, 1: 0.0})
    runs += pong(trained, {0: 3.0, 1: 3.0}, {0: 0.0, 1: 0.0}, "atari-pong-10pct")
    hopper = get_task("mujoco-hopper")
    expert = hopper.expert_score - hopper.random_score
    for seed in (0, 1):
        runs.append(trained("mujoco-hopper-1pct", seed, [expert]))
        runs.append(trained("mujoco-hopper-1pct", seed, [0.9 * expert], ablations=["frozen"]))
    (found,) = differences(cells_of(*runs))
    assert (found.tasks, found.pairs, found.better) == (2, 6, 6)
    # 1 and 3 points of Pong are 2 on average, 10 % of Hopper are 10; both tasks weigh the same
    assert found.mean == pytest.approx((2 * POINT + 10) / 2)
    assert found.low == found.high == pytest.approx(found.mean)


def test_runs_on_other_episodes_are_no_pair(trained: Trained) -> None:
    runs = pong(trained, {0: 1.0, 1: 1.0, 2: 1.0}, {0: 0.0, 1: 0.0, 2: 0.0})
    results = [read_result(run) for run in runs]
    one, two, three, *others = (replace(result, data_digest="a") for result in results)
    cells = make_cells([one, replace(two, data_digest="b"), replace(three, data_digest="", episodes=1), *others])
    (found,) = differences(cells)
    assert (found.pairs, found.unlike) == (1, 2)
    assert math.isnan(found.low)
    without = make_cells([replace(result, data_digest="") for result in results])
    assert differences(without)[0].pairs == 3


def test_single_runs_have_no_interval_over_seeds(trained: Trained) -> None:
    cells = cells_of(*pong(trained, {0: 1.0}, {0: 0.0, 1: 0.0}))
    assert all(math.isnan(value) for row in improvements(cells) for value in (row.low, row.high))
    ours, theirs = overall(cells)
    assert math.isnan(ours.mean_low)
    assert math.isnan(ours.iqm_high)
    assert not math.isnan(theirs.mean_low)
    text = lamo("--markdown").stdout
    assert "| lamo | lamo +frozen | 1 | 100 % | - |" in text
    assert "| lamo | lamo +frozen | 1 | 1 | 3.3 [-] | 1 of 1 |" in text
    assert "nan" not in text
    assert json.loads(lamo("--json").stdout)["paired"][0]["low"] is None


def test_figures_are_drawn_without_intervals(trained: Trained, tmp_path: object) -> None:
    pong(trained, {0: 1.0}, {0: 0.0})
    lamo("--out", f"{tmp_path}/out")
    with open(f"{tmp_path}/out/improvement.svg") as file:
        assert "nan" not in file.read().lower()


def test_older_runs_and_settings_are_told(trained: Trained) -> None:
    pong(trained, {0: 1.0, 1: 2.0}, {0: 0.0, 1: 0.0})
    assert "older" not in lamo("--markdown").stdout
    trained(PONG, 0, [5.0])
    text = lamo("--markdown").stdout
    assert "the newest counts; older ones left out: 1." in text
    assert "that all of these methods have (Pong 1 %)" in text
    assert "narrow for few seeds" in text


@pytest.mark.parametrize(("seeds", "spread", "least", "most"), [(3, 1, 0.76, 0.84), (5, 3, 0.92, 0.99)])
def test_intervals_of_few_seeds_hold_as_often_as_the_note_says(
    seeds: int, spread: float, least: float, most: float
) -> None:
    """Normal scores of runs with deviation 1, ten episodes each with deviation `spread` around them."""
    rng, held, trials = np.random.default_rng(0), 0, 300
    for _ in range(trials):
        episodes = rng.normal(size=(seeds, 1)) + rng.normal(0, spread, (seeds, 10))
        low, high = nested_interval(list(episodes), resamples=300)
        held += low <= 0 <= high
    assert least < held / trials < most
