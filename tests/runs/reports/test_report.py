"""Tables from recorded runs."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from lamo_core.reports.results import NoResult, read_result
from lamo_core.reports.rows import report_rows
from lamo_core.runs.directory import RunDirectory
from tests.runs.run_doubles import record

MakeRun = Callable[..., RunDirectory]


def test_seeds_are_pooled_and_settings_are_not(make_run: MakeRun) -> None:
    runs = [
        record(make_run(name="p", seed=0, data__ratio=0.01), [1.0, 3.0]),
        record(make_run(name="p", seed=1, data__ratio=0.01), [11.0, 13.0]),
        record(make_run(name="p", model__adapter="frozen", data__ratio=0.01), [0.0, 0.0]),
        record(make_run(name="p", seed=0, data__ratio=0.1), [5.0, 5.0]),
    ]
    whole, pooled, frozen = report_rows(read_result(run) for run in runs)
    assert [row.ratio for row in (whole, pooled, frozen)] == [0.1, 0.01, 0.01]
    assert [row.method for row in (whole, pooled, frozen)] == ["lamo", "lamo", "lamo +frozen"]
    assert (pooled.seeds, pooled.seed_means, pooled.mean) == ((0, 1), (2.0, 12.0), 7.0)
    # drawn within seeds: each of the two means moves by at most 1, so the interval cannot leave [6, 8]
    assert 6.0 <= pooled.low < 7.0 < pooled.high <= 8.0
    assert pooled.normalised == pytest.approx(100 * (7.0 - 1.7) / (31.8 - 1.7))
    assert (pooled.data_mean, pooled.random_score, pooled.transitions) == (4.5, 1.7, 700)
    assert (pooled.steps, pooled.evaluated) == (4, 4)
    assert pooled.rate == pytest.approx(4.0)
    assert "cores" in pooled.machine
    assert frozen.low == frozen.high == 0.0


def test_newer_versions_of_an_environment_are_tasks_apart(make_run: MakeRun) -> None:
    task = {"task__name": "mujoco-hopper", "data__set": "hopper-medium"}
    runs = [record(make_run(name="p", task__version=version, **task), [100.0]) for version in ("v4", "v5")]
    known, newer = report_rows(read_result(run) for run in runs)
    assert (known.task, newer.task, newer.title) == ("mujoco-hopper", "mujoco-hopper-v5", "Hopper-v5")
    assert known.normalised > 0
    assert math.isnan(newer.normalised)


def test_of_equal_runs_the_newest_counts(make_run: MakeRun) -> None:
    runs = sorted((make_run(name="p") for _ in range(2)), key=lambda run: run.id)
    rows = report_rows(read_result(record(run, [float(i)])) for i, run in enumerate(runs))
    assert [(row.mean, row.runs) for row in rows] == [(1.0, (runs[1].id,))]


def test_seeds_weigh_alike_whatever_their_numbers_of_episodes(make_run: MakeRun) -> None:
    runs = [record(make_run(seed=0), [1.0]), record(make_run(seed=1), [9.0, 11.0] * 10)]
    (row,) = report_rows(read_result(run) for run in runs)
    assert (row.evaluated, row.mean) == (21, 5.5)
    # the first seed's mean is certain, the second one's lies within a standard error of 0.22
    assert 5.2 < row.low < 5.5 < row.high < 5.8


def test_a_run_without_final_evaluation_has_no_result(make_run: MakeRun) -> None:
    with pytest.raises(NoResult, match="has no final evaluation yet"):
        read_result(make_run())
    with pytest.raises(NoResult):
        read_result(record(make_run(), [1.0], finished=False))
