"""Runs as a table of two settings."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from lamo_core.errors import UsageError
from lamo_core.reports.matrix import axis_values, held, make_matrix
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.index import list_runs
from lamo_core.runs.queue.waiting import enqueue
from lamo_tui.cli.app import app
from tests.runs.run_doubles import record

MakeRun = Callable[..., RunDirectory]


def test_cells_hold_means_over_seeds_and_their_runs(make_run: MakeRun) -> None:
    # the double's normalised score is ten times its return
    runs = [record(make_run(name="p", seed=seed, data__ratio=0.01), [1.0 + seed]) for seed in range(3)]
    frozen = record(make_run(name="p", model__adapter="frozen", data__ratio=0.1), [7.0])
    made = make_matrix(list_runs())
    assert (made.rows, made.columns) == (("none", "frozen"), ("1%", "10%"))
    cell = made.cells["none", "1%"]
    assert (cell.mean, cell.seeds, cell.finished, cell.working) == (20.0, 3, 3, 0)
    assert set(cell.runs) == {run.id for run in runs}
    assert cell.low is not None
    assert cell.high is not None
    assert 10.0 <= cell.low < 20.0 < cell.high <= 30.0
    alone = made.cells["frozen", "10%"]
    assert (alone.mean, alone.low, alone.runs) == (70.0, None, (frozen.id,))
    assert ("none", "10%") not in made.cells


def test_of_one_seed_the_newest_run_counts(make_run: MakeRun) -> None:
    runs = sorted((make_run(name="p") for _ in range(2)), key=lambda run: run.id)
    for score, run in enumerate(runs):
        record(run, [float(score)])
    (cell,) = make_matrix(list_runs()).cells.values()
    assert (cell.mean, cell.seeds, len(cell.runs)) == (10.0, 1, 2)


def test_a_mean_of_several_settings_says_so(make_run: MakeRun) -> None:
    for ratio in (0.01, 0.1):
        record(make_run(name="p", data__ratio=ratio), [10 * ratio])
    (cell,) = make_matrix(list_runs(), "task", "method").cells.values()
    assert (cell.mean, cell.seeds, cell.mixed) == (5.5, 2, ("ratio",))
    assert all(cell.mixed == () for cell in make_matrix(list_runs()).cells.values())


def test_a_mean_of_several_experiments_says_so(make_run: MakeRun) -> None:
    record(make_run(name="p", seed=0), [1.0])
    record(make_run(name="p", seed=1, eval__every=7), [2.0])
    (cell,) = make_matrix(list_runs()).cells.values()
    assert (cell.seeds, cell.mixed) == (2, ())
    older = list_runs()
    older[0].config["model"].pop("action_dropout")  # a run from before that setting, which has its default
    assert "model.action_dropout" not in older[0].settings
    assert all(cell.mixed == () for cell in make_matrix(older).cells.values())
    record(make_run(name="p", seed=2, model__lora_rank=5), [3.0])
    (cell,) = make_matrix(list_runs()).cells.values()
    assert (cell.seeds, cell.mixed) == (3, ("setting",))


def test_what_spans_nothing_is_held(make_run: MakeRun) -> None:
    record(make_run(name="a", method="dt"), [1.0])
    assert held(list_runs(), ("ablation", "ratio"), {}) == {"task": "atari-breakout", "method": "dt"}
    record(make_run(name="b", model__adapter="frozen"), [1.0])
    record(make_run(name="c", method="lamo", task__name="atari-pong"), [1.0])
    runs = list_runs()
    assert held(runs, ("ablation", "ratio"), {}) == {"task": "atari-breakout", "method": "lamo"}
    assert held(runs, ("method", "task"), {}) == {"ablation": "none"}
    wanted = {"task": "atari-breakout", "method": "lamo"}
    assert held(runs, ("seed", "ratio"), wanted) == {**wanted, "ablation": "frozen"}
    assert held([], ("ablation", "ratio"), {}) == {}
    assert "ablation" not in held(runs, ("backbone", "ratio"), {})


def test_runs_that_wait_are_counted_and_have_no_score(make_run: MakeRun) -> None:
    enqueue(make_run(name="p", device="cpu"))
    (cell,) = make_matrix(list_runs()).cells.values()
    assert (cell.mean, cell.waiting, cell.seeds) == (None, 1, 0)


def test_conditions_keep_runs_and_other_axes_work(make_run: MakeRun) -> None:
    record(make_run(name="a", method="lamo"), [1.0])
    record(make_run(name="b", task__name="atari-pong", method="dt"), [2.0])
    runs = list_runs()
    made = make_matrix(runs, "task", "method")
    assert (made.rows, made.columns) == (("atari-breakout", "atari-pong"), ("lamo", "dt"))
    only = make_matrix(runs, "task", "method", {"method": "dt"})
    assert list(only.cells) == [("atari-pong", "dt")]
    assert axis_values(runs, "seed") == ["0"]
    with pytest.raises(UsageError, match="did you mean 'method'"):
        make_matrix(runs, "methods")


def test_what_is_possible_has_a_place_before_anything_was_trained() -> None:
    made = make_matrix([], where={"task": "kitchen-complete"}, possible=True)
    assert made.cells == {}
    assert made.columns == ("30%", "50%", "100%")
    assert made.rows[0] == "none"
    assert "no-pretraining" in made.rows
    both = make_matrix([], "task", "method", possible=True)
    assert "mujoco-hopper" in both.rows
    assert both.columns[:1] == ("lamo",)


def test_the_command_takes_the_task_with_the_most_runs_that_fit(make_run: MakeRun) -> None:
    for seed in range(2):
        record(make_run(seed=seed, task__name="atari-pong", data__ratio=0.1), [1.0])
    record(make_run(task__name="mujoco-hopper", data__ratio=0.01), [4.0])
    tasks = []
    for words in ([], ["-w", "ratio=1%"]):
        done = CliRunner().invoke(app, ["matrix", "--json", *words])
        tasks.append(json.loads(done.stdout)["where"]["task"])
    assert tasks == ["atari-pong", "mujoco-hopper"]
