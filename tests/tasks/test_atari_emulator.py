"""The emulator shows what ale-py's vector environment shows, and goes back to saved moments."""

from __future__ import annotations

import numpy as np
import pytest
from ale_py.vector_env import AtariVectorEnv

from lamo_core.errors import MissingError
from lamo_core.tasks.atari.atari_emulator import AtariEmulator


def _vector_environment(game: str) -> AtariVectorEnv:
    return AtariVectorEnv(
        game,
        num_envs=1,
        num_threads=1,
        repeat_action_probability=0.25,
        stack_num=1,
        noop_max=0,
        use_fire_reset=False,
        reward_clipping=False,
    )


@pytest.mark.parametrize(("game", "seed"), [("breakout", 77), ("qbert", 77), ("pong", 82)])
def test_frames_rewards_and_end_equal_the_vector_environment(game: str, seed: int) -> None:
    emulator, environment = AtariEmulator(game), _vector_environment(game)
    emulator.reset(seed)
    observation, _ = environment.reset(seed=np.array([seed]))
    np.testing.assert_array_equal(emulator.frame(), observation[0, 0])
    rng = np.random.default_rng(seed)
    rewards = 0.0
    for _ in range(1_500):
        action = int(rng.integers(emulator.actions))
        reward = emulator.step(action)
        observation, expected, over, _, _ = environment.step(np.array([action]))
        assert reward == expected[0]
        assert emulator.over == over[0]
        np.testing.assert_array_equal(emulator.frame(), observation[0, 0])
        rewards += abs(reward)
        if emulator.over:
            break
    # All three games end, Pong in the fourth frame of a decision, where the pool of the screens is special.
    assert emulator.over
    assert rewards > 0


def test_same_seed_and_actions_give_the_same_episode() -> None:
    frames = []
    for seed in (5, 5, 6):
        emulator = AtariEmulator("breakout")
        emulator.reset(seed)
        for step in range(60):
            emulator.step((1, 2, 3)[step % 3])
        frames.append(emulator.frame())
    np.testing.assert_array_equal(frames[0], frames[1])
    assert (frames[0] != frames[2]).any()


def test_restore_goes_back_with_the_sticky_actions() -> None:
    emulator = AtariEmulator("breakout")
    emulator.reset(1)
    for _ in range(10):
        emulator.step(1)
    state = emulator.clone()

    def play() -> list[bytes]:
        frames = [emulator.frame().tobytes()]
        for step in range(80):
            emulator.step(2 + step // 4 % 2)
            frames.append(emulator.frame().tobytes())
        return frames

    first = play()
    emulator.restore(state)
    assert play() == first
    assert len(set(first)) > 10


def test_restore_brings_back_which_action_would_be_repeated() -> None:
    emulator = AtariEmulator("breakout")
    emulator.reset(5)
    alike, moments = 0, 60
    for moment in range(moments):
        emulator.step((1, 3, 2)[moment % 3])
        state = emulator.clone()
        emulator.step(moment % 4)
        first = emulator.ram().tobytes()
        for action in (2, 2, 3, 3):  # whatever is pressed elsewhere
            emulator.step(action)
        emulator.restore(state)
        emulator.step(moment % 4)
        alike += emulator.ram().tobytes() == first
        emulator.restore(state)
    assert alike == moments


def test_views() -> None:
    emulator = AtariEmulator("breakout")
    emulator.reset(0)
    assert emulator.screen().shape == (210, 160, 3)
    assert emulator.ram().shape == (128,)
    assert emulator.lives == 5


def test_unknown_game() -> None:
    with pytest.raises(MissingError, match="zaxxonn"):
        AtariEmulator("zaxxonn")
