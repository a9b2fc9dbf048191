"""Main effects and interactions: they are what was put in, seed by seed, with what the seeds can show."""

from __future__ import annotations

import json
import math

import pytest

from lamo_core.places import runs_dir
from lamo_core.reports.cells import make_cells
from lamo_core.reports.effects import Effect, effects
from lamo_core.reports.results import read_result
from lamo_core.runs.directory import RunDirectory
from tests.reports.conftest import Trained
from tests.reports.test_report_command import lamo

HOPPER = "mujoco-hopper-10pct"


def found() -> dict[tuple[str, str, str], Effect]:
    cells = make_cells(read_result(RunDirectory(path)) for path in sorted(runs_dir().iterdir()))
    return {(effect.outcome, effect.factor, effect.level): effect for effect in effects(cells)}


def design(trained: Trained, seeds: int) -> None:
    """Random weights cost 100 points of return, a frozen trunk 50, both together 30 more; seeds differ by far more."""
    for seed in range(seeds):
        for random, frozen in ((0, 0), (0, 1), (1, 0), (1, 1)):
            names = [*["no-pretraining"] * random, *["frozen"] * frozen]
            noise = 3 * (seed - 1) * random
            value = 1000.0 + 500 * seed - 100 * random - 50 * frozen - 30 * random * frozen + noise
            trained(HOPPER, seed, [value], ablations=names, unseen=(1 + seed) * 1.1**random * 1.2**frozen)


def test_effects_are_those_of_the_design(trained: Trained) -> None:
    design(trained, 3)
    scale = 100 / (3234.3 + 20.272305)  # of Hopper's normalised scores
    rows = found()
    random = rows["score", "pre-training", "random"]
    assert random.change == pytest.approx(-115 * scale, rel=1e-3)  # the mean over trained and frozen adapters
    assert (random.seeds, random.pairs, random.base) == (3, 6, "trained")
    assert random.low < random.change < random.high
    student = 4.3027 + 1.0607  # quantiles of two degrees of freedom, 97.5 % and 80 %
    assert random.detectable == pytest.approx(student * 3 * scale / math.sqrt(3), rel=0.03)
    assert rows["score", "adapter", "frozen"].change == pytest.approx(-65 * scale, rel=1e-3)
    together = rows["score", "pre-training x adapter", "random x frozen"]
    assert together.change == pytest.approx(-30 * scale, rel=1e-3)
    assert together.pairs == 3
    assert rows["loss", "pre-training", "random"].change == pytest.approx(0.1)
    assert rows["loss", "adapter", "frozen"].change == pytest.approx(0.2)
    assert rows["loss", "pre-training x adapter", "random x frozen"].change == pytest.approx(0.0, abs=1e-9)


def test_runs_that_differ_in_anything_else_are_no_pair(trained: Trained) -> None:
    trained(HOPPER, 0, [1.0])
    trained(HOPPER, 0, [2.0], ablations=["no-pretraining"], model__context=7)
    trained(HOPPER, 1, [2.0], ablations=["no-pretraining"])
    trained(HOPPER, 0, [2.0], method="bc")
    assert found() == {}


def test_a_single_seed_has_no_interval_and_shows_nothing(trained: Trained) -> None:
    design(trained, 1)
    effect = found()["score", "pre-training", "random"]
    assert math.isnan(effect.low)
    assert math.isnan(effect.detectable)


def test_the_report_shows_effects_on_a_wish(trained: Trained) -> None:
    design(trained, 2)
    text = lamo("--part", "effects", "--markdown").stdout
    assert "| score | pre-training | random against trained | 1 | 2 | 4 | -3.6 [" in text
    assert "| held-out loss | adapter | frozen against lora | 1 | 2 | 4 | +20.0 % [" in text
    assert "Detectable" not in lamo("--markdown").stdout
    rows = json.loads(lamo("--json").stdout)["effects"]
    assert {row["factor"] for row in rows} == {"pre-training", "adapter", "pre-training x adapter"}
