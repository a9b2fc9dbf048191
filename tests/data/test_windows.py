"""Windows against a slow, straightforward cutting of the same episodes."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lamo_core.config import WindowKind
from lamo_core.data.episodes import EpisodeStore, FrameArray
from lamo_core.data.windows import WindowBatch, WindowSampler

K = 5


def _store(lengths: list[int], vectors: bool = False, actions: Literal["index", "vector"] = "index") -> EpisodeStore:
    """Return episodes whose frame of step t of episode e is filled with 1 + 10 e + t, so frames tell themselves."""
    rng = np.random.default_rng(sum(lengths))
    rows = [1 + 10 * episode + step for episode, length in enumerate(lengths) for step in range(length + 1)]
    steps = sum(lengths)
    frames = np.zeros((len(rows) + 1, 84, 84), np.uint8)
    frames[:-1] = np.array(rows, np.uint8)[:, None, None]
    observed = np.array(rows, np.float32)[:, None] * [1, -1] if vectors else FrameArray(frames)
    return EpisodeStore(
        name="test",
        observations=observed.astype(np.float32) if vectors else observed,
        actions=rng.integers(1, 6, steps).astype(np.uint8)
        if actions == "index"
        else rng.random((steps, 3), np.float32),
        rewards=rng.choice([0, 0, 1, -1, 7], steps).astype(np.float32),
        lengths=np.array(lengths),
        terminated=np.ones(len(lengths), np.bool_),
        truncated=np.zeros(len(lengths), np.bool_),
    )


def _sampler(store: EpisodeStore, **changes: object) -> WindowSampler:
    settings: dict[str, object] = {
        "context": K, "return_to_go": "inclusive", "rewards": "raw", "return_scale": 2.0, "frame_shift": 0,
        "generator": np.random.default_rng(0),
    }  # fmt: skip
    return WindowSampler(store, **{**settings, **changes})  # type: ignore[arg-type]


def _check(
    store: EpisodeStore, batch: WindowBatch, row: int, inclusive: bool, clipped: bool, scale: float
) -> tuple[int, int]:
    """Compare one window with the episode it comes from; return episode and first step."""
    mask, times = batch.mask[row].numpy(), batch.timesteps[row].numpy()
    real = int(mask.sum())
    assert mask.tolist() == [True] * real + [False] * (K - real)
    episode, start = divmod(int(batch.observations[row, 3, 0, 0]) - 1, 10)
    length = int(store.lengths[episode])
    assert real == min(K, length - start)
    first = int(store.lengths[:episode].sum())
    rewards = store.rewards[first : first + length]
    rewards = np.sign(rewards) if clipped else rewards
    for k in range(K):
        frames = batch.observations[row, k : k + 4, 0, 0].tolist()
        if k >= real:
            assert (times[k], int(batch.actions[row, k]), float(batch.returns_to_go[row, k])) == (0, 0, 0)
            assert frames[-1] == 0
            continue
        step = start + k
        assert times[k] == step
        assert int(batch.actions[row, k]) == store.actions[first + step]
        to_go = float(sum(rewards[step if inclusive else step + 1 :])) / scale
        assert float(batch.returns_to_go[row, k]) == pytest.approx(to_go)
        assert frames == [1 + 10 * episode + at if at >= 0 else 0 for at in range(step - 3, step + 1)]
    return episode, start


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    inclusive=st.booleans(),
    clipped=st.booleans(),
)
def test_windows_are_what_plain_cutting_gives(lengths: list[int], inclusive: bool, clipped: bool) -> None:
    store = _store(lengths)
    sampler = _sampler(
        store, return_to_go="inclusive" if inclusive else "exclusive", rewards="clipped" if clipped else "raw"
    )
    batch = sampler.sample(20)
    assert batch.observations.dtype == torch.uint8
    assert batch.actions.dtype == batch.timesteps.dtype == torch.int64
    assert batch.returns_to_go.dtype == torch.float32
    for row in range(20):
        _check(store, batch, row, inclusive, clipped, 2.0)


def test_every_start_is_drawn_alike_and_the_last_step_too() -> None:
    lengths = [1, 3, 5, 7, 9]
    store = _store(lengths)
    batch = _sampler(store).sample(1_500)
    drawn = Counter(_check(store, batch, row, True, False, 2.0) for row in range(1_500))
    expected = {(e, s) for e, length in enumerate(lengths) for s in range(max(0, length - K) + 1)}
    assert set(drawn) == expected
    assert (4, 4) in drawn, "this window ends with the last step of its episode"
    assert max(drawn.values()) < 1.6 * min(drawn.values())


def test_vectors_and_continuous_actions() -> None:
    store = _store([2, 8], vectors=True, actions="vector")
    batch = _sampler(store).sample(30)
    assert batch.observations.shape == (30, K, 2)
    assert batch.actions.shape == (30, K, 3)
    assert batch.observations.dtype == batch.actions.dtype == torch.float32
    for row in range(30):
        episode, start = divmod(int(batch.observations[row, 0, 0]) - 1, 10)
        for k in range(K):
            real = start + k < store.lengths[episode]
            assert bool(batch.mask[row, k]) == real
            expected = 1 + 10 * episode + start + k if real else 0
            assert batch.observations[row, k].tolist() == [expected, -expected]
            step = int(store.offsets[episode]) + start + k
            np.testing.assert_array_equal(batch.actions[row, k], store.actions[step] if real else np.zeros(3))


def test_frame_shift_moves_a_whole_window_alike_and_repeats_the_edge() -> None:
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 256, (9, 84, 84)).astype(np.uint8)
    frames[-1] = 0
    zeros = np.zeros(7, np.uint8)
    ends = np.ones(1, np.bool_)
    store = EpisodeStore("t", FrameArray(frames), zeros, zeros.astype(np.float32), np.array([7]), ends, ~ends)
    batch = _sampler(store, frame_shift=3).sample(60)
    shifts = set()
    for row in range(60):
        start = int(batch.timesteps[row, 0])
        plain = np.stack([frames[start + k - 3] if start + k >= 3 else frames[-1] for k in range(K + 3)])
        padded = np.pad(plain, ((0, 0), (3, 3), (3, 3)), mode="edge")
        fits = [
            (down, right)
            for down in range(-3, 4)
            for right in range(-3, 4)
            if (padded[:, 3 + down : 87 + down, 3 + right : 87 + right] == batch.observations[row].numpy()).all()
        ]
        assert fits == [tuple(batch.shifts[row].tolist())]
        shifts.add(fits[0])
    assert {down for down, _ in shifts} == {right for _, right in shifts} == set(range(-3, 4))


def test_going_on_from_a_saved_state() -> None:
    store = _store([9, 9, 9])
    sampler = _sampler(store)
    sampler.sample(4)
    state = sampler.state_dict()
    expected = [sampler.sample(4).timesteps for _ in range(3)]
    other = _sampler(store, generator=np.random.default_rng(99))
    other.load_state_dict(state)
    for batch in expected:
        assert torch.equal(other.sample(4).timesteps, batch)


def test_batches_do_not_share_memory_with_the_store() -> None:
    store = _store([9])
    sampler = _sampler(store)
    sampler.sample(8).observations.fill_(255)
    assert sampler.sample(8).observations.max() < 255


@pytest.mark.parametrize("vectors", [False, True])
@pytest.mark.parametrize("windows", ["every-step", "every-start"])
def test_every_step_is_as_often_the_newest_or_the_first_of_a_window(windows: WindowKind, vectors: bool) -> None:
    lengths = [3, 9, 1]
    batch = _sampler(_store(lengths, vectors=vectors), windows=windows).sample(4_000)
    seen: Counter[tuple[int, int]] = Counter()
    for row in range(len(batch.mask)):
        real = int(batch.mask[row].sum())
        assert batch.mask[row].tolist() == [True] * real + [False] * (K - real)
        first = batch.observations[row, 0, 0] if vectors else batch.observations[row, 3, 0, 0]
        episode, start = divmod(int(first) - 1, 10)
        assert batch.timesteps[row, :real].tolist() == list(range(start, start + real))
        assert not batch.observations[row, real if vectors else real + 3 :].any()
        newest = start + real - 1
        assert real == min(K, newest + 1 if windows == "every-step" else lengths[episode] - start)
        seen[episode, newest if windows == "every-step" else start] += 1
    assert seen.keys() == {(episode, step) for episode, length in enumerate(lengths) for step in range(length)}
    assert max(seen.values()) < 1.5 * min(seen.values())
