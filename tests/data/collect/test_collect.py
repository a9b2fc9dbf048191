"""The collector: plans follow from seeds, a killed collection goes on, the actors see what they should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamo_core.data.collect.recorded_games import load_recorded
from lamo_core.data.recipes.behaviour import RecurrentPolicy, ScreenPolicy, WatchedEmulator, Weights
from lamo_core.data.recipes.collect_atari import Collector
from lamo_core.data.recipes.mixtures import MIXTURES, Mixture, get_mixture, plan_episode
from lamo_core.errors import DataError, MissingError, UsageError
from lamo_core.tasks.registry import get_task


@pytest.mark.parametrize("name", MIXTURES)
def test_recipes(name: str) -> None:
    mixture = MIXTURES[name]
    assert sum(share.part for share in mixture.shares) == pytest.approx(1)
    assert get_task(f"atari-{mixture.game}").observation == "frames"
    plans = [plan_episode(mixture, index) for index in range(400)]
    parts = np.bincount([plan.share for plan in plans], minlength=len(mixture.shares)) / len(plans)
    np.testing.assert_allclose(parts, [share.part for share in mixture.shares], atol=0.08)
    assert {plan.noops for plan in plans} == set(range(mixture.noop_max + 1))
    for plan in plans:
        low, high = mixture.shares[plan.share].noise
        assert low <= plan.noise <= high
    assert plan_episode(mixture, 3).noise == plans[3].noise


def test_seeds_of_sets_do_not_meet() -> None:
    firsts = sorted(mixture.first_seed for mixture in MIXTURES.values())
    assert (np.diff(firsts) >= 1_000_000).all()


def test_stopped_collection_goes_on_alike(tiny_assets: Path, tiny_mixture: Mixture, tmp_path: Path) -> None:
    stopped = Collector(tiny_mixture, tiny_assets, tmp_path, slots=2)
    next(iter(stopped.collect(110)))
    assert len(list(tmp_path.glob("*.npz"))) == 1
    again = Collector(tiny_mixture, tiny_assets, tmp_path, slots=3)
    for _ in again.collect(110):
        pass
    seeds = sorted(int(path.stem) for path in tmp_path.glob("*.npz"))
    assert seeds == list(range(tiny_mixture.first_seed, tiny_mixture.first_seed + len(seeds)))
    for seed in seeds:
        mine, whole = load_recorded(tmp_path, seed), load_recorded(tiny_assets / "episodes", seed)
        assert mine is not None
        assert whole is not None
        np.testing.assert_array_equal(mine.actions, whole.actions)
        assert mine.frames_sha256 == whole.frames_sha256


def test_shards_share_the_episodes(tiny_assets: Path, tiny_mixture: Mixture, tmp_path: Path) -> None:
    collector = Collector(tiny_mixture, tiny_assets, tmp_path, shard=(1, 3), slots=1)
    seeds = [episode.seed - tiny_mixture.first_seed for episode in collector.collect(50)]
    assert seeds == [1, 4]


def test_damaged_episode_file(tiny_assets: Path, tiny_mixture: Mixture, tmp_path: Path) -> None:
    (tmp_path / f"{tiny_mixture.first_seed}.npz").write_bytes(b"PK\x03\x04 no")
    with pytest.raises(DataError, match="delete it and collect again"):
        next(iter(Collector(tiny_mixture, tiny_assets, tmp_path, slots=1).collect(10)))


def test_missing_weights(tmp_path: Path, tiny_mixture: Mixture) -> None:
    with pytest.raises(MissingError, match="--policies"):
        Collector(tiny_mixture, tmp_path, tmp_path)
    with pytest.raises(UsageError, match="known: breakout-medium"):
        get_mixture("chess-medium")


def test_actors_see_the_game(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = {
        "s/conv1.w": (16, 4, 8, 8), "s/conv1.b": (16,), "s/conv2.w": (32, 16, 4, 4), "s/conv2.b": (32,),
        "s/fc.w": (256, 2592), "s/fc.b": (256,), "s/pi.w": (4, 256), "s/pi.b": (4,),
        "r/gru.weight_ih": (768, 800), "r/gru.weight_hh": (768, 256), "r/gru.bias_ih": (768,),
        "r/gru.bias_hh": (768,), "r/actor_linear.weight": (4, 256), "r/actor_linear.bias": (4,),
        "r/conv1.weight": (32, 1, 3, 3), "r/conv1.bias": (32,),
        **{f"r/conv{layer}.weight": (32, 32, 3, 3) for layer in (2, 3, 4)},
        **{f"r/conv{layer}.bias": (32,) for layer in (2, 3, 4)},
    }  # fmt: skip
    arrays = {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}
    np.savez(tmp_path / "weights.npz", **arrays)
    games = [WatchedEmulator("breakout", 0.25) for _ in range(2)]
    for seed, game in enumerate(games):
        game.reset(seed)
    for policy in (
        ScreenPolicy(Weights(tmp_path / "weights.npz", "s/"), 3),
        RecurrentPolicy(Weights(tmp_path / "weights.npz", "r/"), 3),
    ):
        first = policy.logits([0, 2], games)
        for game in games:
            game.step(1)
        second = policy.logits([0, 2], games)
        assert first.shape == second.shape == (2, 4)
        assert (first != second).any()
        policy.forget(2)
        third = policy.logits([2], games[1:])
        assert (third[0] != second[1]).any(), "the past must count"
