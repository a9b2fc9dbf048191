"""Videos and replay files bring back the episode that was played."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamo_core.config import TaskConfig
from lamo_core.errors import DataError, MissingError, StorageError, UsageError
from lamo_core.evaluation.recorder import check_video, screens, write_video
from lamo_core.evaluation.replay_file import load_replay, save_replay
from lamo_core.evaluation.rollout_spec import EpisodeResult
from lamo_core.install_hint import hint
from lamo_core.tasks.atari.atari_emulator import AtariEmulator
from lamo_core.tasks.registry import make_batch

TASK = TaskConfig(noop_max=5)


@pytest.fixture(scope="module")
def episode() -> EpisodeResult:
    """An Atari episode of 40 random decisions, played in the batch that evaluations use."""
    batch = make_batch(TASK, 1)
    batch.reset(np.array([3]))
    rng = np.random.default_rng(0)
    actions = np.array([1, *rng.integers(0, 4, 39)], np.uint8)
    rewards = np.array([batch.step(np.array([int(action)]))[1][0] for action in actions])
    noops = int(batch.noops()[0])
    batch.close()
    assert noops > 0
    return EpisodeResult(
        target=9.0,
        seed=3,
        noops=noops,
        actions=actions,
        rewards=rewards,
        ret=float(rewards.sum()),
        terminated=False,
        truncated=True,
        returns_to_go=9.0 - np.concatenate([[0.0], rewards.cumsum()[:-1]]).astype(np.float32),
        probabilities=rng.random((40, 4)).astype(np.float16),
    )


def test_screens_are_those_of_the_episode(episode: EpisodeResult) -> None:
    emulator = AtariEmulator("breakout", TASK.sticky_actions)
    emulator.reset(3)
    for action in [0] * episode.noops + episode.actions.tolist():
        emulator.step(action)
    pictures = [picture.copy() for picture in screens(episode, TASK)]
    assert len(pictures) == 41
    np.testing.assert_array_equal(pictures[-1], emulator.screen())
    assert (pictures[0] != pictures[-1]).any()


def test_an_episode_that_does_not_come_back_is_refused(episode: EpisodeResult, tmp_path: Path) -> None:
    other = replace(episode, rewards=episode.rewards + 1.0)
    with pytest.raises(DataError, match="did not come back"):
        write_video(tmp_path / "a.gif", other, TASK)
    assert list(tmp_path.iterdir()) == []


def test_gif_has_the_exact_colours_and_the_real_speed(episode: EpisodeResult, tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    write_video(tmp_path / "a.gif", episode, TASK)
    image = image_module.open(tmp_path / "a.gif")
    seconds, pictures = 0.0, list(screens(episode, TASK))
    for index in range(image.n_frames):
        image.seek(index)
        seconds += image.info["duration"] / 1000
    assert seconds == pytest.approx(41 / 15, abs=0.2)
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), pictures[-1])
    assert list(tmp_path.iterdir()) == [tmp_path / "a.gif"]


def test_film(episode: EpisodeResult, tmp_path: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    write_video(tmp_path / "a.mp4", episode, TASK)
    frames, seconds = ffmpeg.count_frames_and_secs(str(tmp_path / "a.mp4"))
    assert frames == 41
    assert seconds == pytest.approx(41 / 15, abs=0.1)


def test_video_is_checked_before_anything_is_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"\.gif or \.mp4"):
        check_video(tmp_path / "a.avi")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="choose another place"):
        check_video(tmp_path / "file" / "a.gif")
    (tmp_path / "b.gif").mkdir()
    with pytest.raises(StorageError, match="it is a folder"):
        check_video(tmp_path / "b.gif")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=re.escape(hint("video"))):
        check_video(tmp_path / "a.mp4")
    assert not (tmp_path / "a.gif").exists()


def test_a_simulated_episode_is_filmed_at_real_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mujoco")
    image_module = pytest.importorskip("PIL.Image")
    monkeypatch.setenv("MUJOCO_GL", "disabled")
    config = TaskConfig(name="mujoco-hopper")
    batch = make_batch(config, 1)
    batch.reset(np.array([7]))
    actions = np.zeros((22, 3), np.float32)
    rewards = np.array([batch.step(action[None])[1][0] for action in actions])
    batch.close()
    played = EpisodeResult(
        target=9.0,
        seed=7,
        noops=0,
        actions=actions,
        rewards=rewards,
        ret=float(rewards.sum()),
        terminated=False,
        truncated=True,
        returns_to_go=np.zeros(22, np.float32),
        probabilities=None,
    )
    write_video(tmp_path / "a.gif", played, config)
    image = image_module.open(tmp_path / "a.gif")
    # 125 decisions a second: every fifth is shown, and the first and the last
    assert image.n_frames == 6
    assert image.info["duration"] == 40
    assert image.size == (320, 240)
    with pytest.raises(DataError, match="did not come back"):
        write_video(tmp_path / "b.gif", replace(played, rewards=rewards + 0.01), config)


def test_replay_file_keeps_everything(episode: EpisodeResult, tmp_path: Path) -> None:
    path = tmp_path / "new" / "one.npz"
    save_replay(path, episode, TASK, {"run": "r1", "step": 500})
    back = load_replay(path)
    assert back.task == TASK
    assert back.meta == {"run": "r1", "step": 500}
    for name in ("actions", "rewards", "returns_to_go", "probabilities"):
        np.testing.assert_array_equal(getattr(back.episode, name), getattr(episode, name))
        assert getattr(back.episode, name).dtype == getattr(episode, name).dtype
    for name in ("target", "seed", "noops", "ret", "terminated", "truncated", "length"):
        assert getattr(back.episode, name) == getattr(episode, name)
    save_replay(path, replace(episode, probabilities=None), TASK, {})
    assert load_replay(path).episode.probabilities is None


def test_damaged_and_foreign_replays_are_refused(episode: EpisodeResult, tmp_path: Path) -> None:
    path = tmp_path / "one.npz"
    with pytest.raises(UsageError, match="no replay"):
        load_replay(path)
    save_replay(path, episode, TASK, {})
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"hello" * 100, whole[:200] + b"XX" + whole[202:]):
        path.write_bytes(content)
        with pytest.raises(DataError, match="record it again"):
            load_replay(path)
    np.savez(path, actions=np.zeros(3))
    with pytest.raises(DataError, match="no replay of lamo"):
        load_replay(path)
    save_replay(path, replace(episode, actions=episode.actions[:-1]), TASK, {})
    with pytest.raises(DataError, match="different lengths"):
        load_replay(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 10**30},
        {"noops": 10**12},
        {"seed": float("inf")},
        {"rewards": np.zeros((40, 2))},
        {"actions": np.full(40, np.nan)},
        {"actions": np.array(["x"] * 40)},
        {"actions": np.array(3)},
        {"actions": np.full(40, 99)},
        {"actions": np.full(40, -1)},
        {"actions": np.zeros((40, 3))},
        {"target": float("nan")},
        {"task": {"name": ["atari-breakout"]}},
        {"task": {"name": "atari-../../x"}},
        {"task": {"name": "atari-breakout", "max_steps": "x"}},
        {"task": {"name": "atari-breakout", "noop_max": 10**9}},
        {"task": {"name": "atari-breakout", "other": 1}},
        {"returns_to_go": np.array(["x"] * 40)},
        {"probabilities": np.array(["x"] * 40)},
        {"header": np.frombuffer(b"[" * 100_000, np.uint8)},
        {"header": np.frombuffer(b"[]", np.uint8)},
        {"rewards": np.full(40, np.inf)},
        {"rewards": np.full(40, np.nan)},
        {"rewards": np.full(40, 1e300)},
        {"returns_to_go": np.full(40, np.inf, np.float32)},
        {"probabilities": np.full((40, 4), np.nan, np.float16)},
        {"probabilities": np.full((40, 3), 0.1, np.float16)},
        {"meta": {"step": float("inf")}},
        {"meta": {"step": float("nan")}},
        {"meta": {"step": 10**400}},
        {"meta": {"step": [1]}},
        {"meta": {"name": "x" * 10_000}},
        {"meta": {str(n): n for n in range(100)}},
        {"meta": []},
        {"target": 1e300},
        {"target": "20"},
        {"seed": 1.5},
    ],
)
def test_forged_columns_and_numbers_are_refused(
    episode: EpisodeResult, tmp_path: Path, changes: dict[str, Any]
) -> None:
    path = tmp_path / "one.npz"
    save_replay(path, episode, TASK, {})
    with np.load(path) as file:
        columns = dict(file)
    header = json.loads(columns["header"].tobytes()) | {k: v for k, v in changes.items() if k not in columns}
    columns["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(path, **{**columns, **{k: v for k, v in changes.items() if k in columns}})
    with pytest.raises(DataError, match="record it again"):
        load_replay(path)


def test_a_replay_that_unpacks_to_more_than_an_episode_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, header=np.zeros(2**28 + 1, np.uint8))
    with pytest.raises(DataError, match="unpacks to more"):
        load_replay(path)


def test_no_pickle_is_ever_opened(tmp_path: Path) -> None:
    path = tmp_path / "evil.npz"
    np.savez(path, header=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError):
        load_replay(path)
