"""The columns of an `EpisodeStore`, and frames that do not fit into memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lamo_core.data.episodes import EpisodeStore, FrameArray
from lamo_core.data.formats.frame_blocks import BLOCK, FrameBlocks


def _store(rewards: list[float], lengths: list[int]) -> EpisodeStore:
    count = len(lengths)
    return EpisodeStore(
        name="x",
        observations=np.zeros((sum(lengths) + count, 2), np.float32),
        actions=np.zeros(sum(lengths), np.uint8),
        rewards=np.array(rewards, np.float32),
        lengths=np.array(lengths),
        terminated=np.ones(count, np.bool_),
        truncated=np.zeros(count, np.bool_),
    )


def test_returns_and_offsets() -> None:
    store = _store([1, 5, -2, 0, 7], [2, 3])
    assert store.offsets.tolist() == [0, 2, 5]
    assert store.transitions == 5
    assert store.returns().tolist() == [6, 5]
    assert store.returns("clipped").tolist() == [2, 0]


def test_columns_must_fit() -> None:
    with pytest.raises(ValueError, match="as many actions"):
        _store([1, 2], [3])


@dataclass
class _Packed:
    content: NDArray[np.uint8]
    unpacked: int = 0

    @property
    def frames(self) -> int:
        return len(self.content)

    def block(self, index: int) -> NDArray[np.uint8]:
        self.unpacked += 1
        return self.content[index * BLOCK : (index + 1) * BLOCK]


def test_blocks_give_the_same_frames_as_an_array() -> None:
    rng = np.random.default_rng(0)
    episodes = [rng.integers(0, 256, (n, 84, 84)).astype(np.uint8) for n in (3, BLOCK, BLOCK + 1, 2 * BLOCK + 7)]
    array = FrameArray(np.concatenate([*episodes, np.zeros((1, 84, 84), np.uint8)]))
    blocks = FrameBlocks([_Packed(episode) for episode in episodes], memory_bytes=2 * BLOCK * 84 * 84)
    assert len(array) == len(blocks)
    indices = rng.integers(-1, len(array), (40, 6))
    np.testing.assert_array_equal(array.gather(indices), blocks.gather(indices))
    everything = np.arange(-1, len(array))
    np.testing.assert_array_equal(array.gather(everything), blocks.gather(everything))
    assert not blocks.gather(np.array([-1])).any()


def test_newest_blocks_stay_unpacked() -> None:
    packed = _Packed(np.zeros((4 * BLOCK, 84, 84), np.uint8))
    blocks = FrameBlocks([packed], memory_bytes=2 * BLOCK * 84 * 84)
    for block in (0, 1, 0, 1, 1):
        blocks.gather(np.array([block * BLOCK]))
    assert packed.unpacked == 2
    blocks.gather(np.array([2 * BLOCK]))
    blocks.gather(np.array([1 * BLOCK]))
    assert packed.unpacked == 3
    blocks.gather(np.array([0]))
    assert packed.unpacked == 4


def test_a_digest_tells_choices_of_episodes_apart() -> None:
    two, one = _store([1, 5, -2, 0, 7], [2, 3]), _store([1, 5, -2, 0, 7], [5])
    assert len(two.digest()) == 16
    assert two.digest() != one.digest()
    assert two.digest() != replace(two, actions=two.actions + np.uint8(1)).digest()
    # what is derived from the episodes, such as rewards in another unit, leaves them the same ones
    assert two.digest() == replace(two, rewards=2 * two.rewards).digest()
