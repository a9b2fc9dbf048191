"""Evaluations leave a few small replay files behind: the median episode of every target."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from lamo_core.config import RunConfig
from lamo_core.evaluation import median_replays
from lamo_core.evaluation.median_replays import MOST_FILES, keep_medians, median_episode
from lamo_core.evaluation.replay_file import load_replay
from lamo_core.evaluation.rollout_spec import EpisodeResult


def episode(ret: float, target: float = 9.0) -> EpisodeResult:
    rewards = np.array([0.0, ret])
    return EpisodeResult(
        target=target,
        seed=int(ret),
        noops=1,
        actions=np.array([1, 2], np.uint8),
        rewards=rewards,
        ret=ret,
        terminated=True,
        truncated=False,
        returns_to_go=np.full(2, target, np.float32),
        probabilities=np.full((2, 4), 0.25, np.float16),
    )


def test_the_median_is_the_middle_and_the_better_one_of_two() -> None:
    assert median_episode([episode(5), episode(1), episode(9)]).ret == 5
    assert median_episode([episode(5), episode(1)]).ret == 5


def test_one_file_for_each_target_says_where_it_comes_from(tmp_path: Path) -> None:
    played = [episode(ret, target) for target in (9.0, -2.5) for ret in (3, 1, 2)]
    config = RunConfig.from_dict({"name": "mine", "seed": 4, "data": {"rewards": "clipped"}})
    written = keep_medians(tmp_path / "replays", played, config, 500)
    assert [path.name for path in written] == ["000500-target9.npz", "000500-target-2.5.npz"]
    replay = load_replay(written[0])
    assert replay.episode.ret == 2
    assert replay.meta["name"] == "mine s4"
    assert replay.meta["kept"] == "median of 3 episodes"
    assert replay.meta["rewards"] == "clipped"
    assert keep_medians(tmp_path / "replays", played, config, 500) == written


def test_the_number_of_files_is_bounded_and_the_oldest_go(tmp_path: Path) -> None:
    for step in range(MOST_FILES + 3):
        (path,) = keep_medians(tmp_path, [episode(1)], RunConfig(), step)
        os.utime(path, (step, step))
    names = sorted(path.name for path in tmp_path.glob("*.npz"))
    assert len(names) == MOST_FILES
    assert names[0].startswith("000003")
    assert names[-1].startswith(f"{MOST_FILES + 2:06d}")


def test_a_sweep_over_many_targets_does_not_fill_the_folder(tmp_path: Path) -> None:
    played = [episode(1, float(target)) for target in range(40)]
    assert len(keep_medians(tmp_path, played, RunConfig(), 1)) == median_replays._MOST_TARGETS
