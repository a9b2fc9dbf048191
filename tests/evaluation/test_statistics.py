"""Statistics of runs and tasks against cases worked out by hand, textbook values and each other.

`tests/parity` has those of rliable and SciPy.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lamo_core.evaluation import statistics
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
    profile_band,
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
    monkeypatch.setattr(statistics, "_CELLS", 60)
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


def test_runs_without_spread_have_no_interval() -> None:
    assert nested_interval([[2.0, 2.0], [2.0]]) == (2.0, 2.0)
    assert pooled_interval([[3.0, 3.0], [3.0]]) == (3.0, 3.0)


def test_one_episode_each_is_the_plain_bootstrap_over_runs() -> None:
    # the mean of two drawn of {0, 1} is 0, ½ or 1 with chances ¼, ½, ¼
    assert nested_interval([[0.0], [1.0]]) == (0.0, 1.0)
    assert nested_interval([[0.0], [1.0]], level=0.4) == (0.5, 0.5)


def test_a_lone_run_varies_by_its_episodes_alone() -> None:
    low, high = nested_interval([np.arange(100.0)], resamples=4000)
    # the mean of 100 draws of 0 … 99 has a standard error of 2.887
    assert low == pytest.approx(49.5 - 1.96 * 2.887, abs=0.35)
    assert high == pytest.approx(49.5 + 1.96 * 2.887, abs=0.35)


def test_both_levels_add_up() -> None:
    rng = np.random.default_rng(1)
    runs = [rng.normal(center, 10.0, size=25) for center in np.linspace(-5, 5, 12)]
    low, high = nested_interval(runs, resamples=4000)
    means = np.array([run.mean() for run in runs])
    # drawing runs gives var(means)/R, drawing episodes within them a further mean(var_e)/E/R
    within = np.mean([run.var() / run.size for run in runs])
    expected = 1.96 * np.sqrt((means.var() + within) / len(runs))
    assert (high - low) / 2 == pytest.approx(expected, rel=0.08)


def test_runs_with_fewer_episodes_count_no_less() -> None:
    low, high = nested_interval([[0.0] * 50, [10.0]], level=0.4)
    assert (low, high) == (5.0, 5.0)


def test_the_interquartile_mean_can_be_asked_for() -> None:
    runs = [[0.0], [5.0], [5.0], [1000.0]]
    low, high = nested_interval(runs, statistic=interquartile_mean, level=0.5)
    assert 0 <= low <= 5.0 <= high < 1000.0


def test_pooling_draws_within_each_task() -> None:
    # each task keeps its two runs, so the mean lies between 50 and 52 whatever is drawn
    low, high = pooled_interval([[0.0, 2.0], [100.0, 102.0]], statistic=mean)
    assert (low, high) == (50.0, 52.0)
    assert pooled_interval([[1.0, 2.0, 3.0], [4.0]], seed=3) == pooled_interval([[1.0, 2.0, 3.0], [4.0]], seed=3)


def test_a_task_with_more_runs_weighs_no_more() -> None:
    assert pooled([[0.0, 0.0, 0.0], [10.0]], mean) == 5.0
    assert pooled_interval([[0.0, 0.0, 0.0], [10.0]], statistic=mean) == (5.0, 5.0)
    # as if the lone run of the second task were three: of 0 0 0 9 9 9 the lowest and the highest go
    assert pooled([[0.0, 0.0, 0.0], [9.0]]) == 4.5
    assert pooled([[1.0, 2.0], [3.0, 100.0]]) == 2.5
    # too many for exact copies: each of 11 runs is counted 76 times and each of 13 runs 65 times
    assert pooled([[0.0] * 11, [1.0] * 13], mean) == pytest.approx(0.5, abs=0.01)


def test_improvement_counts_pairs() -> None:
    # 3 > 1, 3 > 2, 2 > 1, and 2 = 2 counts half
    assert improvement([[3.0, 2.0]], [[1.0, 2.0]]) == 3.5 / 4
    assert improvement([[3.0], [0.0, 0.0]], [[1.0, 1.0], [1.0]]) == 0.5
    assert improvement_interval([[5.0, 6.0]], [[1.0, 2.0]]) == (1.0, 1.0)
    low, high = improvement_interval([[1.0, 3.0]], [[2.0, 2.0]])
    assert (low, high) == (0.0, 1.0)


def test_a_profile_is_the_share_of_runs_above() -> None:
    shares = profile([[0.0, 10.0], [20.0]], [-1.0, 0.0, 5.0, 10.0, 15.0, 20.0])
    # strictly above; the second task weighs as much as the first, though it has one run
    assert shares.tolist() == [1.0, 0.75, 0.75, 0.5, 0.5, 0.0]


def test_profile_bands_lie_around_the_profile() -> None:
    rng = np.random.default_rng(0)
    groups, limits = [rng.normal(size=8), rng.normal(1, 1, size=5)], np.linspace(-3, 3, 13)
    low, high = profile_band(groups, limits)
    shares = profile(groups, limits)
    assert ((low <= shares) & (shares <= high)).all()
    assert (np.diff(low) <= 0).all()
    assert (np.diff(high) <= 0).all()


@pytest.mark.parametrize("bad", [[], [[]], [[1.0], []], [[[1.0]]]])
def test_nothing_cannot_be_summarised(bad: list[list[float]]) -> None:
    for summary in (nested_interval, pooled_interval):
        with pytest.raises(ValueError, match="at least one"):
            summary(bad)


def test_small_portions_draw_the_same_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [[1.0, 5.0], [2.0, 9.0, 4.0]]
    intervals = []
    for portion in (7, 5000):
        monkeypatch.setattr(statistics, "_PORTION", portion)
        intervals.append(nested_interval(values, resamples=5000))
    for one, other in itertools.pairwise(intervals):
        assert one == pytest.approx(other, abs=0.3)
