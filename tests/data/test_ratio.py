"""Shares of a data set."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamo_core.data.subset import Selection, select_episodes
from lamo_core.errors import UsageError

KINDS: tuple[Literal["uniform", "length-weighted"], ...] = ("uniform", "length-weighted")


@given(
    lengths=st.lists(st.integers(1, 5000), min_size=1, max_size=60),
    ratios=st.tuples(st.floats(1e-6, 1), st.floats(1e-6, 1)),
    seed=st.integers(0, 2**31 - 1),
    kind=st.sampled_from(KINDS),
)
def test_nested_seeded_sorted_never_empty(
    lengths: list[int], ratios: tuple[float, float], seed: int, kind: Literal["uniform", "length-weighted"]
) -> None:
    array = np.array(lengths)
    small, large = (select_episodes(array, ratio, seed, kind) for ratio in sorted(ratios))
    assert len(small) == max(1, round(len(lengths) * min(ratios)))
    assert set(small) <= set(large)
    assert (np.diff(large) > 0).all()
    np.testing.assert_array_equal(small, select_episodes(array, min(ratios), seed, kind))


def test_everything_and_other_seeds() -> None:
    lengths = np.full(1000, 10)
    assert select_episodes(lengths, 1.0, 0).tolist() == list(range(1000))
    first, second = (set(select_episodes(lengths, 0.1, seed).tolist()) for seed in (0, 1))
    assert len(first & second) < 30


def test_length_weighted_prefers_long_episodes() -> None:
    lengths = np.array([10, 1000] * 500)
    plain = select_episodes(lengths, 0.2, 0)
    weighted = select_episodes(lengths, 0.2, 0, "length-weighted")
    assert 0.4 < (plain % 2).mean() < 0.6
    assert (weighted % 2).mean() > 0.95


@pytest.mark.parametrize(
    ("episodes", "ratio", "nearest", "down"),
    [
        (2187, 0.005, 11, 10),
        (1191, 0.005, 6, 5),
        (1000, 0.005, 5, 5),
        (1191, 0.1, 119, 119),
        (19, 0.3, 6, 5),
        (601, 0.01, 6, 6),
        (100, 0.29, 29, 28),  # 100 * 0.29 is 28.999999999999996, of which int makes 28, as in the published code
        (9, 0.01, 1, 1),
        (7, 1.0, 7, 7),
    ],
)
def test_shares_are_rounded_as_asked_and_hold_an_episode(episodes: int, ratio: float, nearest: int, down: int) -> None:
    lengths = np.full(episodes, 10)
    more, fewer = (select_episodes(lengths, ratio, 0, rounding=rounding) for rounding in ("nearest", "down"))
    assert (len(more), len(fewer)) == (nearest, down)
    assert set(fewer) <= set(more)
    rest = Selection(ratio, 0, unseen=episodes, rounding="down").of(lengths)
    assert len(rest) == episodes - down


@pytest.mark.parametrize("ratio", [0.0, -0.1, 1.5, float("nan")])
def test_ratio_out_of_range(ratio: float) -> None:
    with pytest.raises(UsageError, match="above 0 and at most 1"):
        select_episodes(np.array([3, 4]), ratio, 0)


def test_no_episodes() -> None:
    with pytest.raises(UsageError, match="no episodes"):
        select_episodes(np.array([], np.int64), 0.5, 0)
