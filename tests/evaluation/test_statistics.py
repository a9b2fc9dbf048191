"""Intervals and summaries against textbook values and each other."""

from __future__ import annotations

import numpy as np
import pytest

from lamo_core.evaluation.statistics import (
    bootstrap_interval,
    interquartile_mean,
    stratified_interval,
)


def test_interval_agrees_with_the_normal_approximation() -> None:
    values = np.random.default_rng(1).normal(10.0, 2.0, size=400)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std() / 20.0
    assert low == pytest.approx(values.mean() - half, abs=0.02)
    assert high == pytest.approx(values.mean() + half, abs=0.02)


def test_interval_is_seeded_and_does_not_depend_on_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(2).normal(size=20)
    first = bootstrap_interval(values, seed=3)
    assert bootstrap_interval(values, seed=3) == first
    assert bootstrap_interval(values, seed=4) != first
    monkeypatch.setattr("lamo_core.evaluation.statistics._CELLS", 60)
    assert bootstrap_interval(values, seed=3) == first


def test_wider_level_gives_wider_interval() -> None:
    values = np.random.default_rng(0).normal(size=30)
    narrow, wide = bootstrap_interval(values, level=0.5), bootstrap_interval(values, level=0.99)
    assert wide[0] < narrow[0] < values.mean() < narrow[1] < wide[1]


def test_one_value_has_width_zero_and_none_is_refused() -> None:
    assert bootstrap_interval([7.0]) == (7.0, 7.0)
    with pytest.raises(ValueError, match="at least one value"):
        bootstrap_interval([])


def test_coverage_of_the_interval_is_near_its_level() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for trial in range(300):
        low, high = bootstrap_interval(rng.exponential(1.0, size=30), resamples=500, seed=trial)
        hits += low <= 1.0 <= high
    assert 0.85 < hits / 300 < 0.98  # percentile intervals of 30 skewed values fall a little short of 0.95


def test_interquartile_mean_cuts_a_quarter_from_each_end() -> None:
    values = np.array([100.0, 1.0, 2.0, 3.0, 4.0, -100.0, 5.0, 6.0])
    assert interquartile_mean(values) == pytest.approx(np.mean([2.0, 3.0, 4.0, 5.0]))
    assert interquartile_mean(np.array([1.0, 5.0, 9.0])) == pytest.approx(5.0)


def test_strata_keep_every_game_in_every_resample() -> None:
    # No spread inside a game: a plain bootstrap varies, this one must not.
    scores = np.array([[0.0, 10.0]] * 3)
    assert stratified_interval(scores, statistic=lambda values: values.mean(axis=-1)) == (5.0, 5.0)
    low, high = bootstrap_interval(scores.ravel())
    assert low < 5.0 < high
