"""Transitions against plain cutting, and which rewards and episodes a method is given."""

from __future__ import annotations

import numpy as np
import pytest

from lamo_core.data.episodes import EpisodeStore, FrameArray
from lamo_core.data.transitions import TransitionSampler, chosen_episodes, scaled_rewards

LENGTHS = [4, 1, 6]


def _store(vectors: bool = False) -> EpisodeStore:
    """Return episodes whose observation of step t of episode e is 1 + 10 e + t."""
    rows = [1 + 10 * episode + step for episode, length in enumerate(LENGTHS) for step in range(length + 1)]
    frames = np.zeros((len(rows) + 1, 84, 84), np.uint8)
    frames[:-1] = np.array(rows, np.uint8)[:, None, None]
    steps = sum(LENGTHS)
    return EpisodeStore(
        "test",
        np.array(rows, np.float32)[:, None] if vectors else FrameArray(frames),
        np.arange(steps).astype(np.uint8),
        np.linspace(-1, 3, steps).astype(np.float32),
        np.array(LENGTHS),
        np.array([True, False, False]),
        np.array([False, True, True]),
    )


def _sampler(store: EpisodeStore, episodes: list[int] | None = None, shift: int = 0) -> TransitionSampler:
    chosen = np.arange(len(LENGTHS)) if episodes is None else np.array(episodes)
    return TransitionSampler(
        store, rewards_N=store.rewards, episodes=chosen, frame_shift=shift, generator=np.random.default_rng(0)
    )


@pytest.mark.parametrize("vectors", [False, True])
def test_transitions_are_what_plain_cutting_gives(vectors: bool) -> None:
    store = _store(vectors)
    batch = _sampler(store).sample(400)
    seen = set()
    for row in range(400):
        step = int(batch.actions[row])
        episode = int(np.searchsorted(np.cumsum(LENGTHS), step, side="right"))
        time = step - int(store.offsets[episode])
        seen.add((episode, time))
        frames = [1 + 10 * episode + at if at >= 0 else 0 for at in range(time - 3, time + 2)]
        if vectors:
            assert (float(batch.observations[row]), float(batch.next_observations[row])) == (frames[3], frames[4])
        else:
            assert batch.observations[row, :, 5, 7].tolist() == frames[:4]
            assert batch.next_observations[row, :, 5, 7].tolist() == frames[1:]
        assert float(batch.rewards[row]) == store.rewards[step]
        # only the first episode ended by itself; a time limit lets values go on
        assert float(batch.terminated[row]) == float((episode, time) == (0, 3))
    assert len(seen) == sum(LENGTHS)


def test_chosen_episodes_alone_are_drawn_and_shifts_are_reported() -> None:
    sampler = _sampler(_store(), [0, 2], shift=2)
    assert sampler.transitions == 10
    batch = sampler.sample(200)
    assert 4 not in batch.actions
    assert batch.shifts is not None
    assert set(batch.shifts.flatten().tolist()) == {-2, -1, 0, 1, 2}


def test_going_on_from_a_saved_state() -> None:
    sampler = _sampler(_store())
    sampler.sample(3)
    state = sampler.state_dict()
    expected = sampler.sample(8).actions
    sampler.load_state_dict(state)
    assert sampler.sample(8).actions.tolist() == expected.tolist()


def test_rewards_by_sign_and_by_range() -> None:
    store = _store()
    assert set(scaled_rewards(store, "raw", "sign").tolist()) == {-1.0, 1.0}
    ranged = scaled_rewards(store, "raw", "range")
    sums = [float(ranged[a:b].sum()) for a, b in zip(store.offsets[:-1], store.offsets[1:], strict=True)]
    assert max(sums) - min(sums) == pytest.approx(1000, rel=1e-5)


def test_which_episodes_are_imitated() -> None:
    returns = np.array([1.0, 50, 2, 48, 3, 1, 52, 2, 1, 3])
    assert chosen_episodes(returns, "none", 0.1).tolist() == list(range(10))
    assert chosen_episodes(returns, "top", 0.1).tolist() == [6]
    assert chosen_episodes(returns, "top", 0.01).tolist() == [6]
    for count, kept in ((1, 1), (2, 1), (6, 3), (9, 5), (10, 5), (25, 5), (60, 6)):
        best = chosen_episodes(np.arange(count, dtype=np.float64), "top", 0.1, least=5)
        assert best.tolist() == list(range(count - kept, count))
    assert chosen_episodes(returns, "split", 0.1).tolist() == [1, 3, 6]
    assert chosen_episodes(np.ones(4), "split", 0.1).tolist() == [0, 1, 2, 3]
    assert chosen_episodes(np.array([2.0]), "split", 0.1).tolist() == [0]


def test_range_of_few_episodes_is_bounded() -> None:
    def first_returns(*returns: float) -> list[float]:
        steps = len(returns)
        ones = np.ones(steps, np.int64)
        store = EpisodeStore(
            "few",
            np.zeros((2 * steps, 3), np.float32),
            np.zeros((steps, 2), np.float32),
            np.float32(returns),
            ones,
            ones.astype(bool),
            ~ones.astype(bool),
        )
        return scaled_rewards(store, "raw", "range").tolist()

    assert first_returns(3000.0, 0.0) == [1000.0, 0.0]
    assert first_returns(1471.5, 1471.0) == pytest.approx([2000.0, 1999.3], abs=0.1)
    assert first_returns(-200.0) == [-2000.0]
    assert first_returns(0.0, 0.0) == [0.0, 0.0]
