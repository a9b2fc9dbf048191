"""Statistics of runs are rliable's and SciPy's, which `make_statistics` wrote down.

Intervals are drawn, here and there with other random numbers, so their ends agree to a share of their width.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from lamo_core.evaluation.statistics import (
    bootstrap_interval,
    improvement,
    improvement_interval,
    interquartile_mean,
    mean,
    nested_interval,
    pooled,
    pooled_interval,
    profile,
    stratified_interval,
)
from tests.parity import inputs


def optimality_gap(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much scores fall short of 100 on average; those above count as 100."""
    return np.asarray(100 - np.minimum(values, 100).mean(-1))


STATISTICS = {"mean": mean, "iqm": interquartile_mean, "optimality gap": optimality_gap}
DRAWN = 0.05
"""Share of an interval's width by which its ends may differ: four times what 2,000 resamples make them vary."""


def columns(scores: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    return list(scores.T)


def check_interval(found: tuple[float, float], expected: list[float]) -> None:
    width = expected[1] - expected[0]
    assert found == pytest.approx(tuple(expected), abs=DRAWN * width)


@pytest.mark.parametrize("case", inputs.SCORES)
@pytest.mark.parametrize("name", STATISTICS)
def test_summaries_and_their_intervals_are_rliables(case: str, name: str) -> None:
    expected, (ours, _) = inputs.read_numbers("statistics")[case], inputs.scores(case)
    statistic = STATISTICS[name]
    assert pooled(columns(ours), statistic) == pytest.approx(expected[name], rel=1e-8)
    for interval in (
        pooled_interval(columns(ours), statistic=statistic),
        stratified_interval(ours, statistic=statistic),
    ):
        check_interval(interval, expected[f"{name} interval"])


@pytest.mark.parametrize("case", inputs.SCORES)
def test_chances_of_improvement_and_profiles_are_rliables(case: str) -> None:
    expected, (ours, theirs) = inputs.read_numbers("statistics")[case], inputs.scores(case)
    assert improvement(columns(ours), columns(theirs)) == pytest.approx(expected["improvement"], rel=1e-8)
    check_interval(improvement_interval(columns(ours), columns(theirs)), expected["improvement interval"])
    assert profile(columns(ours), np.linspace(0, 100, 11)) == pytest.approx(expected["profile"])


def test_a_chance_of_improvement_is_mann_whitneys_u() -> None:
    ours, theirs = inputs.tied_scores()
    assert improvement([ours], [theirs]) == pytest.approx(inputs.read_numbers("statistics")["tied"]["improvement"])


@pytest.mark.parametrize("count", inputs.VALUES)
def test_an_interquartile_mean_is_scipys_trimmed_mean(count: int) -> None:
    expected = inputs.read_numbers("statistics")[f"values {count}"]["trimmed mean"]
    assert float(interquartile_mean(inputs.values(count))) == pytest.approx(expected)


BOOTSTRAPS: dict[str, Callable[[NDArray[np.float64]], tuple[float, float]]] = {
    "of values": bootstrap_interval,
    "of runs with an episode each": lambda values: nested_interval([[value] for value in values], resamples=10_000),
}


@pytest.mark.parametrize("bootstrap", BOOTSTRAPS)
def test_an_interval_of_a_mean_is_scipys(bootstrap: str) -> None:
    count = inputs.VALUES[-1]
    expected = inputs.read_numbers("statistics")[f"values {count}"]["interval of the mean"]
    check_interval(BOOTSTRAPS[bootstrap](inputs.values(count)), expected)
