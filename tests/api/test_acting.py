"""A loaded policy in anyone's loop decides as the project's own roll-outs do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

import lamo_core as lamo
from lamo_core.api.native import Native
from lamo_core.config import ContextMode, RunConfig, TaskConfig
from lamo_core.errors import CheckpointError, LamoError, UsageError
from lamo_core.evaluation.rollout import rollout
from lamo_core.evaluation.rollout_spec import Asked, EpisodeResult
from lamo_core.evaluation.scores import ActionMode
from lamo_core.tasks.locomotion import make_locomotion
from lamo_core.tasks.registry import get_task, make_batch
from lamo_core.training.checkpoint import load_policy, write_checkpoint
from tests.player.tiny import make_checkpoint, make_run, tiny_config

MakePolicy = Callable[..., tuple[Path, RunConfig]]
HOPPER, BREAKOUT = "mujoco-hopper", "atari-breakout"
STEPS = 24


@pytest.fixture(scope="module")
def make_policy(tmp_path_factory: pytest.TempPathFactory) -> MakePolicy:
    def make(task: str = HOPPER, **groups: Any) -> tuple[Path, RunConfig]:
        config = tiny_config(task)
        config = replace(config, task=replace(config.task, max_steps=STEPS), **groups)
        return make_checkpoint(tmp_path_factory.mktemp("policy") / "ckpt.pt", config), config

    return make


def own_episodes(path: Path, targets: tuple[float, ...], episodes: int = 1, **changes: Any) -> list[EpisodeResult]:
    actor, config, _ = load_policy(path, torch.device("cpu"))
    return rollout(actor, config.task, replace(Asked.by(config, targets, episodes), **changes))


def play_hopper(policy: lamo.LoadedPolicy, target: float, seed: int) -> tuple[list[Any], list[float], list[float]]:
    """Play an episode as anybody would; returns actions, rewards and returns-to-go."""
    environment = make_locomotion(TaskConfig(name=HOPPER))
    policy.reset(target, seed=seed)
    (observation, _), reward, over = environment.reset(seed=seed), 123.0, False  # what came before does not count
    actions, rewards, left = [], [], []
    while not over and len(actions) < STEPS:
        actions.append(policy.act(observation, reward))
        left.append(policy.return_to_go)
        observation, reward, terminated, truncated, _ = environment.step(
            np.float64(actions[-1])
        )  # as roll-outs give it
        rewards.append(float(reward))
        over = terminated or truncated
    environment.close()
    return actions, rewards, left


@pytest.mark.parametrize("context", ["sliding", "chunked"])
@pytest.mark.parametrize("seed", [7, 8])
def test_hopper_is_played_as_an_evaluation_plays_it(make_policy: MakePolicy, context: ContextMode, seed: int) -> None:
    path, _ = make_policy()
    (own,) = own_episodes(path, (300.0,), context=context, seed=seed)
    actions, rewards, left = play_hopper(lamo.load_policy(path, context=context), 300.0, seed)
    np.testing.assert_array_equal(actions, own.actions)
    np.testing.assert_array_equal(rewards, own.rewards)
    np.testing.assert_array_equal(np.float32(left), own.returns_to_go)
    assert len(actions) > 9, "an episode is longer than the context"


@pytest.mark.parametrize("action", ["sample", "greedy"])
@pytest.mark.parametrize("stacked", [False, True])
def test_breakout_is_played_as_an_evaluation_plays_it(
    make_policy: MakePolicy, action: ActionMode, stacked: bool
) -> None:
    path, config = make_policy(BREAKOUT)
    (own,) = own_episodes(path, (12.0,), action=action)
    policy, game = lamo.load_policy(path, action=action), make_batch(config.task, 1)
    policy.reset(12.0)
    frames, reward, actions = game.reset(np.array([config.eval.seed])), 0.0, []
    for _ in range(own.length):
        actions.append(policy.act(frames[0] if stacked else frames[0, -1], reward))
        frames, rewards, _, _ = game.step(np.array(actions[-1:]))
        reward = rewards[0]
    game.close()
    assert actions == own.actions.tolist()
    assert all(type(choice) is int for choice in actions)


def test_clipped_rewards_are_subtracted_by_their_sign(make_policy: MakePolicy) -> None:
    config = tiny_config(BREAKOUT)
    path, config = make_policy(BREAKOUT, data=replace(config.data, rewards="clipped"))
    policy = lamo.load_policy(path)
    policy.reset(12.0)
    for reward in (99.0, 4.0, -7.0, 0.0, 1.0):
        policy.act(np.zeros((84, 84), np.uint8), reward)
    assert policy.return_to_go == 12.0 - 1 + 1 - 1


def test_environments_side_by_side_begin_anew_one_by_one(make_policy: MakePolicy) -> None:
    """Each of four environments is decided as if it were alone, whenever its episode begins."""
    path, _ = make_policy()
    begins = {0: [0, 1, 2, 3], 4: [2], 9: [0, 2], 10: [1]}
    rng = np.random.default_rng(0)
    observations = rng.normal(size=(16, 4, 11)).astype(np.float32)
    rewards = rng.normal(size=(16, 4))
    targets = np.array([10.0, 20.0, 30.0, 40.0])
    for context in ("sliding", "chunked"):
        policy = lamo.load_policy(path, context=context)
        alone = [lamo.load_policy(path, context=context) for _ in range(4)]
        for step in range(16):
            rows = begins.get(step, [])
            if step == 0:
                policy.reset(targets, environments=4)
            else:
                policy.reset(rows=np.isin(np.arange(4), rows))
            for row in rows:
                alone[row].reset(targets[row])
            actions = policy.act(observations[step], rewards[step])
            single = [alone[row].act(observations[step, row], rewards[step, row]) for row in range(4)]
            assert (actions.shape, actions.dtype) == ((4, 3), np.float32)
            np.testing.assert_allclose(actions, single, atol=1e-5)
            left = [one.return_to_go for one in alone]
            np.testing.assert_allclose(policy.return_to_go, left)


def test_draws_follow_the_seed_and_every_episode_has_its_own(make_policy: MakePolicy) -> None:
    path, config = make_policy(BREAKOUT)
    frames = np.random.default_rng(1).integers(0, 256, (12, 84, 84), dtype=np.uint8)

    def play(policy: lamo.LoadedPolicy, seed: int | None = None) -> list[int]:
        policy.reset(seed=seed)
        return [policy.act(frame) for frame in frames]

    policy = lamo.load_policy(path)
    first, second = play(policy), play(policy)
    assert first != second
    assert play(policy, seed=config.eval.seed) == first
    assert play(policy) == second
    assert play(lamo.load_policy(path, seed=config.eval.seed + 1)) == second
    policy.reset(environments=2, seed=config.eval.seed)
    both = np.array([policy.act(np.stack([frame, frame])) for frame in frames])
    assert both[:, 0].tolist() == first
    assert both[:, 1].tolist() == second


def test_a_first_target_and_that_of_before_are_asked_for(make_policy: MakePolicy) -> None:
    policy = lamo.load_policy(make_policy()[0])
    policy.reset(environments=3)
    assert policy.return_to_go.tolist() == [policy.targets[0]] * 3
    policy.reset(5.0, rows=[1])
    policy.reset([7.0, 8.0], rows=[0, 2])
    assert policy.return_to_go.tolist() == [7.0, 5.0, 8.0]
    policy.reset(rows=[True, False, True])
    assert policy.return_to_go.tolist() == [7.0, 5.0, 8.0]
    policy.reset(rows=[False] * 3)
    assert policy.act(np.zeros((3, 11))).shape == (3, 3)


def test_a_loop_over_gymnasiums_vector_environments_works(make_policy: MakePolicy) -> None:
    path, _ = make_policy()
    environments = gymnasium.make_vec(
        "Hopper-v5",
        num_envs=2,
        max_episode_steps=8,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": gymnasium.vector.AutoresetMode.SAME_STEP},
    )
    policy = lamo.load_policy(path)
    observations, _ = environments.reset(seed=0)
    policy.reset(target=100.0, environments=2)
    rewards, begun = np.zeros(2), 0
    for _ in range(20):
        observations, rewards, terminated, truncated, _ = environments.step(policy.act(observations, rewards))
        policy.reset(rows=terminated | truncated)
        begun += int((terminated | truncated).sum())
    environments.close()
    assert begun >= 4


@pytest.mark.parametrize(
    ("observation", "says"),
    [
        (np.zeros(12), r"observations of Hopper have shape \(11,\), and this one has shape \(12,\)"),
        ({"observation": np.zeros(11)}, "this one is a dictionary"),
        ("", r"this one has shape \(\)"),
        ([[1.0], [1.0, 2.0]], "this one has no shape"),
    ],
)
def test_observations_of_another_task_are_refused(make_policy: MakePolicy, observation: Any, says: str) -> None:
    policy = lamo.load_policy(make_policy()[0])
    policy.reset()
    with pytest.raises(UsageError, match=says):
        policy.act(observation)


@pytest.mark.parametrize(
    "frame",
    [np.zeros((210, 160, 3), np.uint8), np.zeros((84, 84), np.float32), np.zeros((3, 84, 84), np.uint8)],
)
def test_frames_of_another_form_are_refused(make_policy: MakePolicy, frame: Any) -> None:
    policy = lamo.load_policy(make_policy(BREAKOUT)[0])
    policy.reset()
    assert policy.act(np.zeros((84, 84, 1), np.uint8)) in range(4)
    with pytest.raises(UsageError, match=r"grey frames \(84, 84\) uint8"):
        policy.act(frame)


def test_misuse_is_refused_in_a_sentence(make_policy: MakePolicy) -> None:
    policy = lamo.load_policy(make_policy()[0])
    with pytest.raises(UsageError, match=r"call policy\.reset\(target=…\)"):
        policy.act(np.zeros(11))
    with pytest.raises(UsageError, match=r"call policy\.reset\(environments=N\)"):
        policy.reset(rows=[0])
    with pytest.raises(UsageError, match="at least one environment"):
        policy.reset(environments=0)
    policy.reset(environments=3)
    for rows in ([3], [-1], [0.5], [True], [[0, 1]], "0"):
        with pytest.raises(UsageError, match="rows are a mask of 3 environments"):
            policy.reset(rows=rows)
    for target in (float("nan"), [1.0, 2.0], float("inf")):
        with pytest.raises(UsageError, match="a target is a finite number"):
            policy.reset(target, rows=[0, 1, 2])
    with pytest.raises(UsageError, match="3 environments give 3 observations, not 2"):
        policy.act(np.zeros((2, 11)))
    with pytest.raises(UsageError, match="3 environments give 3 rewards"):
        policy.act(np.zeros((3, 11)), np.zeros(2))


def test_outputs_that_are_no_numbers_end_the_game(make_policy: MakePolicy) -> None:
    policy = lamo.load_policy(make_policy()[0])
    policy.reset()
    with pytest.raises(LamoError, match="not finite"):
        policy.act(np.full(11, np.nan))


def test_policies_are_found_by_run_file_and_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMO_RUNS", str(tmp_path))
    run = make_run(tmp_path, tiny_config(BREAKOUT))
    for source in (lamo.Run(run.path), "last", run.id, run.path, str(run.last_checkpoint), run.last_checkpoint):
        policy = lamo.load_policy(source)
        assert (policy.step, policy.targets) == (3, (12.0, 6.0))
        assert policy.task.name == BREAKOUT
    with pytest.raises(UsageError, match="there is no checkpoint"):
        lamo.load_policy("gone.pt")
    with pytest.raises(UsageError, match="there is no run"):
        lamo.load_policy("gone")
    (tmp_path / "bad.pt").write_bytes(b"no checkpoint")
    with pytest.raises(CheckpointError):
        lamo.load_policy(tmp_path / "bad.pt")
    run.last_checkpoint.unlink()
    with pytest.raises(UsageError, match="has no checkpoint"):
        lamo.load_policy(lamo.Run(run.path))


def test_actions_and_observations_of_other_environments_are_translated() -> None:
    pendulum = Native(get_task("gym:Pendulum-v1"), TaskConfig(id="Pendulum-v1", name="gym:Pendulum-v1"))
    np.testing.assert_array_equal(pendulum.action(np.float32([0.5])), [1.0])  # torque from -2 to 2
    np.testing.assert_array_equal(pendulum.vector(np.arange(3)), [0, 1, 2])
    cart = Native(get_task("gym:CartPole-v1"), TaskConfig(id="CartPole-v1", name="gym:CartPole-v1"))
    assert cart.action(1) == 1
    arm = Native(get_task(HOPPER), TaskConfig(name=HOPPER))
    action = np.float32([0.5, -1, 1])
    assert arm.action(action) is action


def test_the_kitchens_own_observations_are_flattened() -> None:
    pytest.importorskip("gymnasium_robotics")
    kitchen = Native(get_task("kitchen-complete-v0"), TaskConfig(name="kitchen-complete-v0"))
    whole = {"observation": np.arange(59.0), "achieved_goal": {}, "desired_goal": {}}
    np.testing.assert_array_equal(kitchen.vector(whole), [*range(9), *range(18, 39)])


def test_evaluate_scores_as_the_command_does(make_policy: MakePolicy) -> None:
    path, config = make_policy()
    own = own_episodes(path, (12.0, 6.0), 2, seed=3)
    policy = lamo.load_policy(path)
    for source in (policy, path):
        result = lamo.evaluate(source, episodes=2, seed=3)
        assert [score.target for score in result.scores] == [12.0, 6.0]
        assert [score.context for score in result.scores] == [config.eval.context] * 2
        assert [episode.ret for episode in result.episodes] == [episode.ret for episode in own]
    (score,) = lamo.evaluate(policy, episodes=1, targets=[4], context="sliding").scores
    assert (score.target, score.episodes, score.context) == (4.0, 1, "sliding")
    with pytest.raises(UsageError, match="at least one episode"):
        lamo.evaluate(policy, episodes=0)


def test_every_kind_of_checkpoint_acts(make_policy: MakePolicy, tmp_path: Path) -> None:
    """Those of methods without memory too, which see the newest observation alone."""
    from lamo_core.baselines.make import make_markov_policy
    from lamo_core.model.policy import PolicyStatistics
    from lamo_core.training.checkpoint import Checkpoint, trained_weights

    config = replace(tiny_config(HOPPER), method="bc")
    statistics = PolicyStatistics(20.0, 100, (0.0,) * 11, (1.0,) * 11)
    policy = make_markov_policy(config, statistics)
    facts = {"targets": [1.0], "return_mean": 1.0}
    path = tmp_path / "bc.pt"
    write_checkpoint(path, Checkpoint(config, 1, "", "", statistics, facts, trained_weights(policy), None))
    loaded = lamo.load_policy(path)
    loaded.reset(environments=2)
    seen = np.random.default_rng(0).normal(size=(2, 11)).astype(np.float32)
    first = loaded.act(seen)
    np.testing.assert_allclose(loaded.act(seen[::-1]), first[::-1], atol=1e-6)
