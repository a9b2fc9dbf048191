"""Roll-outs in an environment whose every number is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from lamo_core.config import TaskConfig
from lamo_core.errors import EnvironmentFault
from lamo_core.evaluation.evaluate import Evaluation, evaluate
from lamo_core.evaluation.rollout import BrokenOff, rollout
from lamo_core.evaluation.rollout_spec import Asked, EpisodeResult
from lamo_core.settings.presets import resolve
from tests.evaluation.evaluation_doubles import ACTIONS, CounterBatch, TinyPolicy

TASK = TaskConfig()


def play(policy: TinyPolicy, **changes: Any) -> list[EpisodeResult]:
    asked, others = split(Asked((30.0, 60.0), 6, "chunked", "sample", 40), changes)
    return rollout(policy, TASK, asked, **others)


def split(asked: Asked, changes: dict[str, Any]) -> tuple[Asked, dict[str, Any]]:
    """Lay changes over what is asked and return the arguments that are left, the environments among them."""
    own = {name: changes[name] for name in changes if hasattr(asked, name)}
    others = {name: changes[name] for name in changes if name not in own}
    return replace(asked, **own), {"environments": CounterBatch, **others}


def test_episodes_come_target_by_target_with_the_environments_lengths_and_ends() -> None:
    episodes = play(TinyPolicy())
    assert [episode.target for episode in episodes] == [30.0] * 6 + [60.0] * 6
    assert [episode.seed for episode in episodes] == [40, 41, 42, 43, 44, 45] * 2
    for episode in episodes:
        assert episode.length == len(episode.actions) == 3 + episode.seed % 17
        assert episode.noops == episode.seed % 3
        assert episode.terminated is (episode.seed % 2 == 0)
        assert episode.truncated is (episode.seed % 2 == 1)
        assert episode.actions.dtype == np.uint8
        np.testing.assert_array_equal(episode.rewards, episode.actions + 1.0)
        assert episode.ret == episode.rewards.sum()


def test_episodes_that_were_over_before_a_fault_come_with_it() -> None:
    class Faulty(CounterBatch):
        def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
            if self.steps.max() == 10:
                raise EnvironmentFault("it broke")
            return super().step(actions)

    sound = play(TinyPolicy(), targets=(30.0,))
    with pytest.raises(BrokenOff, match=r"^it broke$") as caught:
        play(TinyPolicy(), targets=(30.0,), environments=Faulty)
    whole = [episode for episode in sound if episode.length <= 10]
    assert len(whole) == 2
    for ours, theirs in zip(caught.value.whole, whole, strict=True):
        assert (ours.seed, ours.ret, ours.length) == (theirs.seed, theirs.ret, theirs.length)
        np.testing.assert_array_equal(ours.actions, theirs.actions)

    class Unmade(CounterBatch):
        def __init__(self, config: TaskConfig, size: int) -> None:
            raise EnvironmentFault("none can be made")

    with pytest.raises(BrokenOff, match="none can be made") as caught:
        play(TinyPolicy(), environments=Unmade)
    assert caught.value.whole == []


def test_numbers_that_no_policy_can_compute_with_are_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    class Rich(CounterBatch):
        def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
            observations, rewards, *ends = super().step(actions)
            return observations, 3e38 * np.sign(rewards), *ends

    with pytest.raises(EnvironmentFault, match=r"rewards add up to \de\+38, with which no policy"):
        play(TinyPolicy(), environments=Rich)

    class Far(CounterBatch):
        def _observe(self) -> np.ndarray:
            return np.float32(1e38) * super()._observe()

    with pytest.raises(EnvironmentFault, match=r"observations are as large as \d.*e\+37, with which no policy"):
        play(TinyPolicy(), environments=Far)


def test_return_to_go_is_the_target_minus_what_was_earned() -> None:
    for kind in ("raw", "clipped"):
        for episode in play(TinyPolicy(), rewards=kind):
            paid = np.sign(episode.rewards) if kind == "clipped" else episode.rewards
            earned_before = np.concatenate([[0.0], np.cumsum(paid)[:-1]])
            np.testing.assert_allclose(episode.returns_to_go, episode.target - earned_before)


def test_a_run_says_in_which_unit_rewards_are_subtracted() -> None:
    config = resolve("paper-atari-pong").config
    assert Asked.by(config, (1.0,), 1).rewards == "clipped"
    assert Asked.by(resolve("official-atari-pong").config, (1.0,), 1).rewards == "raw"


def test_the_policy_gets_scaled_returns_and_the_running_rows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = TinyPolicy()
    seen: list[torch.Tensor] = []
    tokens = policy.tokens

    def watched(returns: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        seen.append(returns)
        return tokens(returns, *rest)

    monkeypatch.setattr(policy, "tokens", watched)
    episodes = play(policy)
    assert policy.encoded == sum(episode.length for episode in episodes)
    np.testing.assert_allclose(seen[0][:, 0], np.repeat([30.0, 60.0], 6) / policy.return_scale)


def test_equal_seeds_give_equal_episodes_and_others_do_not() -> None:
    first, second, other = play(TinyPolicy()), play(TinyPolicy()), play(TinyPolicy(), seed=57)
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.actions, two.actions)
    # 57 = 40 + 17 gives episodes of the same lengths, so only the draws can differ
    assert any((one.actions != two.actions).any() for one, two in zip(first, other, strict=True))


def test_an_episode_does_not_depend_on_how_many_others_are_played(monkeypatch: pytest.MonkeyPatch) -> None:
    many = play(TinyPolicy(), context="sliding")
    few = play(TinyPolicy(), targets=(60.0,), episodes=2, context="sliding")
    monkeypatch.setattr("lamo_core.evaluation.rollout.WAVE", 5)
    waves = play(TinyPolicy(), context="sliding")
    for one, two in zip([*many, *many[6:8]], [*waves, *few], strict=True):
        np.testing.assert_array_equal(one.actions, two.actions)


def test_sampling_follows_the_distribution_and_greedy_takes_its_peak() -> None:
    policy = TinyPolicy()
    with torch.no_grad():
        policy.last_layer.weight.zero_()
        policy.last_layer.bias.copy_(torch.log(torch.tensor([0.1, 0.2, 0.3, 0.4])))
    sampled = np.concatenate([episode.actions for episode in play(policy, episodes=60, record=True)])
    shares = np.bincount(sampled, minlength=ACTIONS) / len(sampled)
    np.testing.assert_allclose(shares, [0.1, 0.2, 0.3, 0.4], atol=0.05)
    assert all((episode.actions == 3).all() for episode in play(policy, action="greedy"))
    recorded = play(policy, record=True)[0]
    assert recorded.probabilities is not None
    assert recorded.probabilities.dtype == np.float16
    np.testing.assert_allclose(recorded.probabilities, [[0.1, 0.2, 0.3, 0.4]] * recorded.length, atol=1e-3)
    assert play(policy)[0].probabilities is None


def test_continuous_actions_are_clipped_means() -> None:
    policy = TinyPolicy(action_kind="continuous")
    batches: list[CounterBatch] = []

    def make(config: TaskConfig, size: int) -> CounterBatch:
        batches.append(CounterBatch(config, size))
        return batches[0]

    episodes = play(policy, environments=make)
    assert episodes[0].actions.shape == (episodes[0].length, ACTIONS)
    assert episodes[0].actions.dtype == np.float32
    received = np.stack(batches[0].received)
    assert np.abs(received).max() == 1.0
    assert batches[0].closed


def test_policy_keeps_its_mode_and_the_global_random_state() -> None:
    policy = TinyPolicy().train()
    before = torch.get_rng_state()
    play(policy)
    assert policy.training
    assert torch.equal(torch.get_rng_state(), before)


def test_progress_counts_and_can_end_the_rollout() -> None:
    calls: list[tuple[int, int, int]] = []
    episodes = play(TinyPolicy(), progress=lambda *numbers: calls.append(numbers))
    assert calls[-1] == (12, 12, sum(episode.length for episode in episodes))
    assert [call[2] for call in calls] == sorted(call[2] for call in calls)

    class Enough(Exception):
        pass

    batches: list[CounterBatch] = []

    def make(config: TaskConfig, size: int) -> CounterBatch:
        batches.append(CounterBatch(config, size))
        return batches[0]

    def stop(done: int, total: int, steps: int) -> None:
        raise Enough

    policy = TinyPolicy().train()
    with pytest.raises(Enough):
        play(policy, progress=stop, environments=make)
    assert policy.training
    assert batches[0].closed


def score(**changes: Any) -> Evaluation:
    policy = changes.pop("policy", TinyPolicy())
    asked, others = split(Asked((30.0, 60.0), 6, "sliding", "sample", 40), changes)
    return evaluate(policy, TASK, asked, **others)


def test_evaluation_scores_each_target_and_compares_modes_on_one_history() -> None:
    alone, both, same = score(), score(compare_with="chunked"), score(compare_with="sliding")
    assert [score.returns for score in both.scores] == [score.returns for score in alone.scores]
    assert [score.target for score in alone.scores] == [30.0, 60.0]
    assert alone.agreement is None
    assert both.agreement is not None
    assert same.agreement is not None
    assert both.agreement.decisions == sum(episode.length for episode in both.episodes)
    assert (same.agreement.same_action, same.agreement.distance) == (1.0, 0.0)
    assert 0.3 < both.agreement.same_action < 1.0  # type: ignore[operator]
    assert 0.0 < both.agreement.distance < 0.7


def test_modes_agree_fully_while_episodes_are_shorter_than_the_context() -> None:
    result = score(
        policy=TinyPolicy(context=20),
        episodes=12,
        context="chunked",
        action="greedy",
        compare_with="sliding",
    )
    assert result.agreement is not None
    assert result.agreement.same_action == 1.0
    assert result.agreement.distance < 1e-5


@pytest.mark.gpu
@pytest.mark.parametrize("mode", ["sliding", "chunked"])
def test_a_gpu_plays_the_same_greedy_episodes(mode: str) -> None:
    here = play(TinyPolicy(), context=mode, action="greedy")
    there = play(TinyPolicy().cuda(), context=mode, action="greedy")
    for one, two in zip(here, there, strict=True):
        np.testing.assert_array_equal(one.actions, two.actions)
