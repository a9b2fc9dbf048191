"""Cells of a report, from runs whose scores are worked out by hand."""

from __future__ import annotations

import pytest

from lamo_core.reports.cells import Cell, make_cells, method_names
from lamo_core.reports.comparison import curves, fullest, improvements, overall, profiles
from lamo_core.reports.results import read_result
from lamo_core.reports.rows import report_rows
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.writer import RunWriter
from lamo_core.tasks.registry import get_task
from lamo_core.training.events import Changed
from tests.reports.conftest import Trained
from tests.runs.run_doubles import eval_done, score

PONG = "atari-pong-1pct"
TASK = get_task("atari-pong")


def cells_of(*runs: RunDirectory) -> list[Cell]:
    return make_cells(map(read_result, runs))


def test_a_cell_names_three_scores(trained: Trained) -> None:
    # of 10 steps the last fifth begins after step 8: the evaluation at 9 and the final one
    run = trained(PONG, 0, [0.0, 2.0], earlier={4: 9.3, 8: -10.0, 9: -1.0})
    (cell,) = cells_of(run)
    (seed,) = cell.seeds
    assert seed.final == pytest.approx(TASK.normalised(1.0)) == cell.mean == cell.iqm
    assert seed.window == pytest.approx(TASK.normalised(0.0)) == cell.window
    assert (seed.best, seed.evaluations) == (pytest.approx(100.0), 2)
    assert cell.raw == 1.0
    assert (cell.method, cell.ratio, cell.data, cell.targets) == ("lamo", 0.01, "bundled pong-medium", 1)
    assert cell.paper is None  # the paper begins at 10 %
    assert not cell.papers_data


def test_seeds_are_pooled_and_intervals_hold_the_mean(trained: Trained) -> None:
    runs = [trained(PONG, seed, [float(seed), seed + 2.0]) for seed in range(4)]
    newer = trained(PONG, 0, [100.0, 100.0])
    (cell,) = cells_of(*runs, newer)
    assert [seed.run for seed in cell.seeds][1:] == [run.id for run in runs[1:]]
    assert cell.seeds[0].run in (runs[0].id, newer.id)
    (plain,) = cells_of(*runs)
    assert plain.mean == pytest.approx(TASK.normalised(2.5))
    assert plain.mean_low < plain.mean < plain.mean_high
    # the middle two of four seeds
    assert plain.iqm == pytest.approx(TASK.normalised(2.5))


def test_the_papers_number_stands_beside_its_cell(trained: Trained) -> None:
    (cell,) = cells_of(trained("mujoco-hopper-1pct", 0, [1000.0]))
    assert cell.paper is not None
    assert (cell.paper.mean, cell.papers_data) == (52.0, False)
    (random,) = cells_of(trained("mujoco-hopper-1pct", 0, [1000.0], ablations=["no-pretraining"]))
    assert random.method == "lamo +no-pretraining"
    assert random.paper is not None
    assert random.paper.mean == 46.0


def test_what_is_not_the_same_experiment_is_another_method(trained: Trained) -> None:
    other = trained(PONG, 0, [2.0], model__backbone="random:gpt2")
    runs = [trained(PONG, 0, [1.0]), other, trained(PONG, 0, [3.0], total=5)]
    cells = cells_of(*runs)
    assert method_names(cells) == ["lamo (10 steps)", "lamo (5 steps)", "lamo (model.backbone=random:gpt2)"]


def test_a_setting_changed_by_hand_is_another_method(trained: Trained) -> None:
    plain = [trained(PONG, seed, [1.0]) for seed in (0, 1)]
    # neither the seed nor how often a run is evaluated makes it another experiment
    plain.append(trained(PONG, 2, [1.0], eval__every=5, checkpoint__every=5))
    slow = trained(PONG, 0, [9.0], optim__learning_rate=0.125, optim__clip=0.5)
    tuned, normal = sorted(cells_of(*plain, slow), key=lambda cell: len(cell.seeds))
    assert [len(cell.seeds) for cell in (tuned, normal)] == [1, 3]
    assert tuned.method == "lamo (optim.clip=0.5, optim.learning_rate=0.125)"
    assert normal.method == "lamo"
    assert len(report_rows(map(read_result, [*plain, slow]))) == 2


def test_a_setting_changed_while_training_is_another_method(trained: Trained) -> None:
    plain, steered = (trained(PONG, seed, [1.0]) for seed in (0, 1))
    with RunWriter(steered) as writer:
        writer.write(Changed(3, 3.0, name="optim.clip", value=0.25))
        writer.write(Changed(3, 3.0, name="eval.every", value=5))
    assert {cell.seeds[0].run: cell.method for cell in cells_of(plain, steered)} == {
        plain.id: "lamo",
        steered.id: "lamo (optim.clip=0.25 from step 3)",
    }


def test_the_window_keeps_to_one_target(trained: Trained) -> None:
    run = trained(PONG, 0, [4.0])
    with RunWriter(run) as writer:
        writer.write(eval_done(9, score([0.0], 9.0), score([10.0], 3.0)))
        writer.write(eval_done(10, score([4.0], 9.0), score([2.0], 3.0), final=True))
    (cell,) = cells_of(run)
    # by target (0 + 4) / 2 and (10 + 2) / 2; the best of each evaluation would make (10 + 4) / 2 of it
    assert cell.window == pytest.approx(TASK.normalised(6.0))
    assert (cell.mean, cell.targets) == (pytest.approx(TASK.normalised(4.0)), 2)


def test_methods_are_compared_where_all_of_them_have_runs(trained: Trained) -> None:
    runs = [
        *(trained(PONG, seed, [5.0 + seed]) for seed in (0, 1)),
        *(trained(PONG, seed, [-5.0 - seed], ablations=["frozen"]) for seed in (0, 1)),
        trained("atari-breakout-1pct", 0, [50.0]),
    ]
    cells = cells_of(*runs)
    assert fullest(cells) == (["lamo", "lamo +frozen"], [("atari-pong", 0.01)])
    ours, frozen = overall(cells)
    assert (ours.method, ours.places, ours.runs) == ("lamo", 1, 2)
    assert ours.mean == pytest.approx(TASK.normalised(5.5))
    assert frozen.mean_high < ours.mean_low
    (chance,) = improvements(cells)
    assert (chance.method, chance.other, chance.chance, chance.low) == ("lamo", "lamo +frozen", 1.0, 1.0)
    (turned,) = improvements(cells, "lamo +frozen")
    assert turned.chance == 0.0


def test_methods_of_few_places_are_left_out_before_the_places_of_others_are(trained: Trained) -> None:
    shares = [PONG, "atari-pong-10pct", "atari-qbert-1pct"]
    runs = [trained(share, 0, [1.0], ablations=names) for share in shares for names in ([], ["no-lora"])]
    runs.append(trained("atari-breakout-1pct", 0, [50.0], ablations=["frozen"]))
    assert fullest(cells_of(*runs))[0] == ["lamo", "lamo +no-lora"]
    assert [(row.method, row.places) for row in overall(cells_of(*runs))] == [("lamo", 3), ("lamo +no-lora", 3)]
    # at one place with both it is compared where all are only if that is more in all than without it
    runs.append(trained(PONG, 0, [1.0], ablations=["frozen"]))
    assert len(fullest(cells_of(*runs))[1]) == 3
    runs.append(trained("atari-pong-10pct", 0, [1.0], ablations=["frozen"]))
    assert len(fullest(cells_of(*runs))[1]) == 2
    assert fullest(cells_of(runs[0], runs[6])) == ([], [])
    assert {profile.method for profile in profiles(cells_of(*runs[:7]))} == {"lamo", "lamo +no-lora"}


def test_profiles_fall_from_all_to_nothing(trained: Trained) -> None:
    cells = cells_of(*(trained(PONG, seed, [float(seed)]) for seed in range(3)))
    (found,) = profiles(cells, points=5)
    assert found.shares[0] == 1.0
    assert found.shares[-1] == 0.0
    assert found.thresholds[0] == 0.0
    assert found.thresholds[-1] == pytest.approx(TASK.normalised(2.0))
    assert all(low <= share <= high for low, share, high in zip(found.low, found.shares, found.high, strict=True))


def test_curves_need_two_shares_of_the_data(trained: Trained) -> None:
    presets = (PONG, "atari-pong-10pct", "atari-qbert-1pct")
    cells = cells_of(*(trained(preset, 0, [1.0]) for preset in presets))
    (curve,) = curves(cells)
    assert (curve.task, [cell.ratio for cell in curve.points]) == ("atari-pong", [0.01, 0.1])


def test_nothing_compares_with_nothing() -> None:
    assert (overall([]), improvements([]), profiles([]), curves([])) == ([], [], [], [])
