"""Data sets as sequences of episodes."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import lamo_core as lamo
from lamo_core.data.open_data import open_data as open_configured


def test_a_set_is_its_episodes() -> None:
    episodes = lamo.open_data("hopper-medium", ratio="5%", seed=3)
    assert len(episodes) == len(list(episodes)) == len(episodes.lengths) == len(episodes.returns)
    assert (episodes.name, episodes.card["task"]) == ("hopper-medium", "mujoco-hopper")
    for index, episode in enumerate(episodes):
        length = len(episode)
        assert (episode.observations.shape, episode.observations.dtype) == ((length + 1, 11), np.float32)
        assert (episode.actions.shape, episode.actions.dtype) == ((length, 3), np.float32)
        assert episode.rewards.shape == (length,)
        assert episode.rewards.sum(dtype=np.float64) == pytest.approx(episodes.returns[index], rel=1e-6)
        assert episode.terminated != episode.truncated
    assert sum(episodes.lengths) == episodes.store.transitions
    assert repr(episodes).endswith("transitions of hopper-medium>")


def test_episodes_are_taken_like_those_of_any_sequence() -> None:
    episodes = lamo.open_data("reacher2d-medium", ratio=0.1)
    last = episodes[-1]
    np.testing.assert_array_equal(last.actions, list(episodes)[-1].actions)
    np.testing.assert_array_equal(episodes[1:3][1].rewards, episodes[2].rewards)
    for index in (len(episodes), -len(episodes) - 1):
        with pytest.raises(IndexError, match="none at"):
            episodes[index]


def test_a_preset_gives_what_its_runs_train_on() -> None:
    config = lamo.resolve("mujoco-hopper-1pct", seed=5).config
    store = open_configured(config.data, config.task, 5)
    assert lamo.open_data("mujoco-hopper-1pct", seed=5).store.digest() == store.digest()
    assert lamo.open_data("mujoco-hopper", ratio=0.01, seed=5).store.digest() == store.digest()
    assert lamo.open_data("hopper-medium", ratio=0.01, seed=5).store.digest() == store.digest()
    larger = lamo.open_data("mujoco-hopper-2pct", seed=5)
    assert set(lamo.open_data("mujoco-hopper-1pct", seed=5).returns) <= set(larger.returns)


def test_frames_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    episodes = lamo.open_data("atari-pong-0.1pct")
    episode = episodes[0]
    assert episode.observations.shape == (len(episode) + 1, 84, 84)
    assert (episode.observations.dtype, episode.actions.dtype) == (np.uint8, np.uint8)
    assert all(np.any(first != second) for first, second in itertools.pairwise(episode.observations[5:9]))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("hopper-mediun",), "did you mean 'hopper-medium'"),
        (("hopper-medium", 0.0), "ratio must be above 0"),
        (("hopper-medium", "2"), "at most 100%"),
        (("mujoco-hopper-101pct",), "no data set 'mujoco-hopper-101pct'"),
    ],
)
def test_what_there_is_not_is_refused(arguments: tuple[object, ...], says: str) -> None:
    name, *ratio = arguments
    with pytest.raises(lamo.UsageError, match=says):
        lamo.open_data(str(name), ratio=ratio[0] if ratio else None)  # type: ignore[arg-type]
    with pytest.raises(lamo.LamoError):
        lamo.open_data("hopper-medium", source="d4rl")
