"""An environment that misbehaves while somebody looks: one sentence, and what was played stays as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from lamo_core.config import TaskConfig
from lamo_core.errors import EnvironmentFault
from lamo_core.evaluation.recorder import screens
from lamo_core.evaluation.replay_file import save_replay
from lamo_core.evaluation.rollout_spec import EpisodeResult
from lamo_core.player.episode import ShownEpisode
from lamo_core.player.target_sweep_worker import answer
from lamo_core.runs.directory import RunDirectory
from lamo_core.tasks.gym_tasks import gym_task
from lamo_core.tasks.registry import make_batch
from lamo_core.tasks.rendering.render_env import open_rendered
from tests.player.conftest import Watched
from tests.tasks.faulty import STEP, Faulty, register


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    known = set(gymnasium.registry)
    gym_task.cache_clear()
    yield
    for name in set(gymnasium.registry) - known:
        del gymnasium.registry[name]


def episode(task: str) -> EpisodeResult:
    """Return an episode of eight steps as a sound environment would have played it."""
    actions, rewards = np.zeros((8, 2), np.float32), np.ones(8)
    return EpisodeResult(8.0, 3, 0, actions, rewards, 8.0, False, True, 8 - np.arange(8, dtype=np.float32), None)


@pytest.mark.parametrize("how", ["RuntimeError", "SystemExit", "nan"])
def test_an_episode_goes_on_where_it_was_once_the_fault_is_gone(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = TaskConfig(name=register(how))
    played = ShownEpisode(config, open_rendered(config, height=30), seed=3, noops=0, target=0.0)
    played.person = True
    for _ in range(STEP - 1):
        played.advance([0.0, 0.0])
    before = played.picture()
    for _ in range(2):
        with pytest.raises(EnvironmentFault, match=f"in step {STEP}"):
            played.advance([0.0, 0.0])
    assert (len(played), played.at) == (STEP - 1, STEP - 1)
    np.testing.assert_array_equal(played.picture(), before)
    monkeypatch.setattr(Faulty, "_due", lambda self: False)
    while played.advance([0.0, 0.0]):
        pass
    assert (len(played), played.track.ended) == (8, "truncated")


def test_an_environment_that_cannot_begin_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    config = TaskConfig(name=register("RuntimeError", "reset"))
    shown, closed = open_rendered(config, height=30), []
    monkeypatch.setattr(shown, "close", lambda: closed.append(shown))
    with pytest.raises(EnvironmentFault):
        ShownEpisode(config, shown, seed=3, noops=0, target=0.0)
    assert closed == [shown]


def test_a_record_of_it_is_told_of_and_the_player_lives_on(watched: Watched, tmp_path: Path) -> None:
    task = TaskConfig(name=register("SystemExit"))
    path = tmp_path / "record.npz"
    save_replay(path, episode(task.name), task, {})
    assert f"tried to end the program in step {STEP}" in watched.do("open", source=str(path))["text"]
    assert watched.said("error")["kind"] == "error"
    with pytest.raises(EnvironmentFault):
        list(screens(episode(task.name), task))


def test_asking_for_returns_ends_in_a_sentence(tiny_run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("the console burnt down")

    batch = make_batch(replace(TaskConfig(name="atari-breakout"), max_steps=3), 1)
    monkeypatch.setattr(type(batch._games[0]), "recv", fail)  # type: ignore[attr-defined]
    heard: list[dict[str, object]] = []
    answer(tiny_run, heard.append)
    assert heard[-1]["kind"] == "error"
    assert "atari-breakout raised RuntimeError in step 1: the console burnt down" in str(heard[-1]["text"])
    assert not tiny_run.asked_file.exists()
