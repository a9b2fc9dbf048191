"""Recording any task: what is stored is what was played, and the sets open by their names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.collect.recorded_games import RecordedEpisode
from lamo_core.data.collect.recorded_vectors import VectorEpisode
from lamo_core.data.collect.recorders import Episode, open_recorder
from lamo_core.data.collect.sets import check_name, set_name, write_set
from lamo_core.data.collect.stable_baselines import learn_and_record
from lamo_core.data.collect.tasks import enough, play_episode, random_episodes
from lamo_core.data.open_data import open_data
from lamo_core.data.sources.manage import remove_set, set_status, verify_set
from lamo_core.data.sources.resolve import find_anywhere
from lamo_core.data.store.bundled_logs import all_set_names
from lamo_core.data.store.bundled_vectors import collected_folder
from lamo_core.errors import DataError, MissingError, StorageError, UsageError
from lamo_core.tasks.registry import make_batch

CARTPOLE = TaskConfig(name="gym:CartPole-v1")
FREEWAY = TaskConfig(name="atari-freeway", max_steps=12)


@pytest.fixture(autouse=True)
def _own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMO_DATA", str(tmp_path / "data"))


def random_set(config: TaskConfig, transitions: int, seed: int = 0) -> list[Episode]:
    return list(enough(random_episodes(open_recorder(config), seed), transitions))


def written(name: str, config: TaskConfig, episodes: list[Episode]) -> dict:
    return write_set(name, config, episodes, collected_folder(), source="who", how="how", command="lamo")


@pytest.mark.parametrize("name", ["gym:CartPole-v1", "gym:Pendulum-v1", "mujoco-reacher2d"])
def test_episodes_follow_from_their_seed_and_are_those_of_the_batch(name: str) -> None:
    if name.startswith("mujoco"):
        pytest.importorskip("mujoco")
    config = TaskConfig(name=name, max_steps=15)
    (first, *_), (again, *_) = random_set(config, 20, 7), random_set(config, 20, 7)
    assert isinstance(first, VectorEpisode)
    assert isinstance(again, VectorEpisode)
    np.testing.assert_array_equal(first.observations, again.observations)
    batch = make_batch(config, 1)
    observations = [batch.reset(np.array([7]))[0]]
    for action, reward in zip(first.actions, first.rewards, strict=True):
        seen, paid, terminated, truncated = batch.step(action[None])
        observations.append(seen[0])
        assert np.float32(paid[0]) == reward
    np.testing.assert_array_equal(first.observations, np.stack(observations))
    assert first.terminated == terminated[0]
    assert terminated[0] or truncated[0]


def test_games_are_recorded_as_the_batch_plays_them() -> None:
    config = TaskConfig(name="atari-freeway", max_steps=12, noop_max=5)
    episode = random_set(config, 1, 3)[0]
    assert isinstance(episode, RecordedEpisode)
    batch = make_batch(config, 1)
    batch.reset(np.array([3]))
    assert batch.noops()[0] == episode.noops
    rewards = [batch.step(np.array([action]))[1][0] for action in episode.actions]
    assert rewards == episode.rewards.tolist()


def test_whole_episodes_are_taken_until_there_are_enough() -> None:
    episodes = random_set(CARTPOLE, 100)
    lengths = [len(episode.rewards) for episode in episodes]
    assert sum(lengths[:-1]) < 100 <= sum(lengths)
    assert [episode.seed for episode in episodes] == list(range(len(episodes)))


def test_a_vector_set_opens_by_its_name_and_can_be_deleted() -> None:
    episodes = random_set(CARTPOLE, 60)
    card = written("cartpole-v1-random", CARTPOLE, episodes)
    store = open_data(DataConfig(set="cartpole-v1-random"), CARTPOLE, 0)
    assert store.actions.dtype == np.uint8
    np.testing.assert_array_equal(store.actions, np.concatenate([episode.actions for episode in episodes]))
    assert store.returns().tolist() == [float(len(episode.rewards)) for episode in episodes]
    assert card["task"] == "gym:CartPole-v1"
    found = find_anywhere("cartpole-v1-random")
    assert (found.source, set_status(found).episodes) == ("collected", len(episodes))
    assert verify_set(found).log_sha256 == card["log_sha256"]
    with pytest.raises(UsageError, match="is for the task gym:CartPole-v1"):
        open_data(DataConfig(set="cartpole-v1-random"), TaskConfig(name="mujoco-hopper"), 0)
    with pytest.raises(UsageError, match="already"):
        check_name("cartpole-v1-random")
    assert remove_set(found) > 0
    assert "cartpole-v1-random" not in all_set_names()
    check_name("cartpole-v1-random")


def test_a_game_becomes_an_action_log_whose_frames_come_back() -> None:
    episodes = random_set(FREEWAY, 20)
    card = written("freeway-random", FREEWAY, episodes)
    assert card["log_bytes"] < 2_000
    store = open_data(DataConfig(set="freeway-random"), FREEWAY, 0)
    recorder = open_recorder(FREEWAY)
    frame = recorder.begin(0, "")[-1]
    np.testing.assert_array_equal(store.observations.gather(np.array([0]))[0], frame)
    for action in store.actions[: store.lengths[0]]:
        seen = recorder.step(action)[0]
    np.testing.assert_array_equal(store.observations.gather(store.lengths[:1])[0], seen[-1])
    assert verify_set(find_anywhere("freeway-random"), replay=1).replayed == 1
    remove_set(find_anywhere("freeway-random"))
    assert not list(collected_folder().iterdir())


@pytest.mark.parametrize("config", [CARTPOLE, FREEWAY])
def test_a_set_is_there_with_its_card_or_not_at_all(config: TaskConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes, elsewhere: str) -> None:
        raise StorageError("no space left")

    episodes = random_set(config, 20)
    monkeypatch.setattr("lamo_core.data.publishing.write_bytes", full)
    with pytest.raises(StorageError, match="no space left"):
        written("made", config, episodes)
    assert list(collected_folder().iterdir()) == []


def test_an_episode_that_could_not_be_trained_on_is_not_written() -> None:
    episode = random_set(CARTPOLE, 1)[0]
    assert isinstance(episode, VectorEpisode)
    episode.observations[1, 2] = np.nan
    with pytest.raises(DataError, match="the episode of seed 0 holds numbers that are not finite"):
        written("made", CARTPOLE, [episode])
    assert not collected_folder().exists()


def test_names_of_sets() -> None:
    assert set_name("gym:CartPole-v1", "random") == "cartpole-v1-random"
    assert set_name("gym:my_pkg:Odd Name-v0", "random") == "my_pkg-odd-name-v0-random"
    assert set_name("atari-seaquest", "dqn-replay") == "seaquest-dqn-replay"
    for name in ("../up", "", "Upper", "breakout-medium"):
        with pytest.raises(UsageError):
            check_name(name)


def test_nothing_recorded_is_told() -> None:
    with pytest.raises(MissingError, match="not one episode"):
        written("empty", CARTPOLE, [])


def test_the_library_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def learn(algorithm: str, config: TaskConfig) -> None:
        learn_and_record(config, algorithm, steps=10, seed=0, first_seed=0, progress=lambda done: None)

    with pytest.raises(UsageError, match="ppo, sac and dqn"):
        learn("a3c", CARTPOLE)
    monkeypatch.setattr("lamo_core.data.collect.stable_baselines.find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"\[collect\]"):
        learn("ppo", CARTPOLE)
    monkeypatch.setattr("lamo_core.data.collect.stable_baselines.find_spec", lambda name: object())
    with pytest.raises(UsageError, match="use one of ppo, dqn"):
        learn("sac", CARTPOLE)
    with pytest.raises(UsageError, match="use one of ppo, sac"):
        learn("dqn", TaskConfig(name="gym:Pendulum-v1"))


@pytest.mark.parametrize(
    ("algorithm", "name"), [("ppo", "gym:CartPole-v1"), ("dqn", "gym:CartPole-v1"), ("sac", "gym:Pendulum-v1")]
)
def test_a_learning_history_is_recorded_whole(algorithm: str, name: str) -> None:
    pytest.importorskip("stable_baselines3")
    config = TaskConfig(name=name, max_steps=60)
    told: list[int] = []
    history = learn_and_record(config, algorithm, steps=600, seed=0, first_seed=50, progress=told.append)
    episodes = history.episodes
    assert told[-1] == history.steps == 600
    assert len({episode.seed for episode in episodes}) == len(episodes) > 2
    assert min(episode.seed for episode in episodes) == 50
    assert sum(len(episode.rewards) for episode in episodes) > 200
    assert {episode.policy.split()[0] for episode in episodes} == {algorithm}
    # what was stored is what was played
    episode = episodes[1]
    actions = iter(episode.actions)
    again = play_episode(open_recorder(config), episode.seed, lambda observation: next(actions), "")
    np.testing.assert_array_equal(again.rewards, episode.rewards)
    card = written("history", config, episodes)
    assert json.dumps(card)


def test_an_interrupted_history_is_kept() -> None:
    pytest.importorskip("stable_baselines3")

    def interrupt(done: int) -> None:
        if done >= 200:
            raise KeyboardInterrupt

    history = learn_and_record(CARTPOLE, "ppo", steps=600, seed=0, first_seed=0, progress=interrupt)
    assert history.steps == 200
    assert 0 < sum(len(episode.rewards) for episode in history.episodes) <= 200
