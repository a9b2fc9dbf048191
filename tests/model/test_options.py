"""Options of the policy: words for actions, a Q term, learned maximum returns, alignment, which matrices learn."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from lamo_core.config import ModelConfig, ValueConfig
from lamo_core.data.windows import WindowBatch
from lamo_core.errors import UsageError
from lamo_core.evaluation.contexts import SlidingContext
from lamo_core.model.backbone import load_backbone
from lamo_core.model.extras.alignment import Alignment, share_left, word_clusters
from lamo_core.model.extras.value_heads import MaximumReturn, QTerm
from lamo_core.model.extras.word_actions import WordActions, action_bins, mean_of_bins
from lamo_core.model.lora.adapters import adapt
from lamo_core.model.policy import Policy, PolicyStatistics
from lamo_core.tasks.registry import get_task
from tests.model.conftest import MakePolicy

BREAKOUT, HOPPER = get_task("atari-breakout"), get_task("mujoco-hopper")


def test_words_stand_for_actions_in_both_directions() -> None:
    backbone = load_backbone("random:mini", seed=0)
    actions = WordActions(BREAKOUT, backbone)
    table = backbone.word_table.weight
    assert torch.equal(actions(torch.tensor([3])), table[-1:])
    # a hidden vector that is a word's embedding says that word
    assert actions.read(table[-4:]).argmax(-1).tolist() == [0, 1, 2, 3]
    assert not [name for name, _ in actions.named_parameters()], "nothing about actions is learned"
    with pytest.raises(UsageError, match="only 1 words"):
        WordActions(BREAKOUT, load_backbone("random:dt", seed=0))


def test_continuous_actions_are_bins_of_words_bound_to_their_dimension() -> None:
    values = torch.tensor([[-1.0, 0.0, 0.999], [-5.0, 1.0, 0.5]])
    assert action_bins(values).tolist() == [[0, 128, 255], [0, 255, 192]]
    sure = 50.0 * torch.nn.functional.one_hot(action_bins(values), 256)
    torch.testing.assert_close(mean_of_bins(sure), values.clamp(-1, 1), atol=1 / 256 + 1e-4, rtol=0)
    torch.manual_seed(0)
    actions = WordActions(HOPPER, load_backbone("random:mini", seed=0))
    swapped = actions(values[:, [1, 0, 2]])
    assert not torch.allclose(actions(values), swapped), "which dimension a bin belongs to matters"
    assert actions.read(actions(values)).shape == (2, 3, 256)


def test_a_policy_without_returns_does_not_see_them(make_policy: MakePolicy, windows: WindowBatch) -> None:
    other = replace(windows, returns_to_go=windows.returns_to_go + 1)
    told, untold = make_policy().eval(), make_policy(return_to_go="none").eval()
    assert not torch.allclose(told(windows), told(other))
    assert torch.equal(untold(windows), untold(other))
    assert told.follows_targets
    assert not untold.follows_targets


def test_dropout_on_embeddings_acts_in_training_alone(make_policy: MakePolicy, windows: WindowBatch) -> None:
    policy = make_policy(embedding_dropout=0.5)
    assert not torch.equal(policy.train()(windows), policy(windows))
    assert torch.equal(policy.eval()(windows), make_policy().eval()(windows))


def test_actions_are_hidden_from_whole_windows_in_training_alone(make_policy: MakePolicy, windows: WindowBatch) -> None:
    other = replace(windows, actions=(windows.actions + 1) % BREAKOUT.actions)
    policy = make_policy(action_dropout=0.5)
    shown = make_policy().eval()(windows)
    assert torch.equal(policy.eval()(windows), shown)
    assert not torch.allclose(policy(windows), policy(other))
    policy.train().action_dropout = 1.0  # more than a config may ask for: every window's are hidden
    hidden = policy(windows)
    assert torch.equal(hidden, policy(other))
    policy.action_dropout = 0.5
    torch.manual_seed(0)
    drawn = [(row, place) for _ in range(8) for place, row in enumerate(policy(windows))]
    whole = [torch.allclose(row, shown[place], atol=1e-5) for row, place in drawn]
    none = [torch.allclose(row, hidden[place], atol=1e-5) for row, place in drawn]
    assert any(whole)
    assert any(none)
    assert all(one != two for one, two in zip(whole, none, strict=True))


def test_the_learned_maximum_replaces_what_is_asked(windows: WindowBatch) -> None:
    torch.manual_seed(0)
    backbone = load_backbone("random:mini", seed=0)
    policy = Policy(BREAKOUT, backbone, ModelConfig(context=6), PolicyStatistics(1.0, 9), learned_maximum=True).eval()
    asked = [SlidingContext(policy).decide(windows.observations[:, :4], torch.full((3,), r), None) for r in (0.0, 9.0)]
    assert torch.equal(*asked)
    assert not policy.follows_targets


def test_the_maximum_is_an_expectile_near_the_top() -> None:
    torch.manual_seed(0)
    head = MaximumReturn(4, 0.99)
    states = torch.ones(64, 2, 4, requires_grad=True)
    returns = torch.rand(64, 2)
    mask = torch.ones(64, 2, dtype=torch.bool)
    mask[:, 1] = False
    returns[:, 1] = 100.0  # padding must not count
    batch = WindowBatch(states, torch.zeros(64, 2), returns, torch.zeros(64, 2), mask)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(300):
        optimiser.zero_grad()
        head.loss(states, batch).backward()
        optimiser.step()
    assert states.grad is None, "the head does not shape the embedding"
    assert 0.85 < float(head(states).detach().mean()) < 1.0


@pytest.mark.parametrize("discrete", [True, False])
def test_the_q_term_prefers_what_pays(discrete: bool) -> None:
    """The state's first feature says nothing; action 0 (or -1) pays 0 and action 1 (or +1) pays 1, then it is over."""
    torch.manual_seed(0)
    task = replace(BREAKOUT, actions=2) if discrete else replace(HOPPER, actions=1)
    term = QTerm(task, 4, ValueConfig(target_rate=0.1))
    policy = torch.zeros(2, requires_grad=True) if discrete else torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.Adam([*term.q.parameters(), *term.v.parameters(), policy], lr=0.02)
    for _ in range(150):
        right = torch.rand(32, 2) < 0.5
        actions = right.long() if discrete else right.float().unsqueeze(-1) * 2 - 1
        batch = WindowBatch(
            torch.ones(32, 2, 4), actions, torch.zeros(32, 2), torch.zeros(32, 2), torch.ones(32, 2, dtype=torch.bool),
            rewards=right.float(), terminated=torch.ones(32, 2, dtype=torch.bool),
        )  # fmt: skip
        read = policy.expand(32, 2, -1)
        losses = term.losses(batch.observations, read, batch)
        optimiser.zero_grad()
        (torch.stack(list(losses.values())).sum() / 64).backward()
        optimiser.step()
        term.follow()
    found = policy.detach()
    assert float(found[1] - found[0] if discrete else found[0]) > 0.5
    values = term._values(term.q, torch.ones(1, 1, 4), torch.ones(1, 1).long() if discrete else torch.ones(1, 1, 1))
    assert values.detach().mean() == pytest.approx(1.0, abs=0.25)


def test_the_q_term_values_the_action_that_is_played() -> None:
    torch.manual_seed(0)
    term = QTerm(replace(HOPPER, actions=1), 4, ValueConfig())
    states, mask = torch.randn(1, 3, 4), torch.ones(1, 3, dtype=torch.bool)
    batch = WindowBatch(
        states, torch.zeros(1, 3, 1), torch.zeros(1, 3), torch.zeros(1, 3), mask, None, torch.zeros(1, 3), ~mask
    )

    def term_at(action: float) -> tuple[float, bool]:
        policy = torch.full((1, 3, 1), action, requires_grad=True)
        loss = term.losses(states, policy, batch)["q"]
        loss.backward()
        assert policy.grad is not None
        return loss.item(), bool(policy.grad.any())

    assert term_at(3.0) == (term_at(1.0)[0], False)
    assert term_at(-3.0) == (term_at(-1.0)[0], False)
    assert term_at(0.5)[1]


@pytest.mark.parametrize("over", [False, True])
def test_the_q_terms_critic_learns_where_it_knows_what_follows(over: bool) -> None:
    """Three steps and one of padding, then four steps that the window cuts off."""
    torch.manual_seed(0)
    term = QTerm(replace(BREAKOUT, actions=2), 4, ValueConfig(discount=0.5))
    mask = torch.tensor([[True, True, True, False], [True, True, True, True]])
    terminated = torch.zeros(2, 4, dtype=torch.bool)
    terminated[0, 2] = over
    states, rewards = torch.randn(2, 4, 4), torch.rand(2, 4)
    batch = WindowBatch(
        states, torch.zeros(2, 4).long(), torch.zeros(2, 4), torch.zeros(2, 4), mask, None, rewards, terminated
    )
    policy = torch.zeros(2, 4, 2)
    before = term.losses(states, policy, batch)["critic"]
    known = []
    for row, step in ((row, step) for row in range(2) for step in range(4)):
        paid = rewards.clone()
        paid[row, step] += 1
        known.append(not torch.equal(before, term.losses(states, policy, replace(batch, rewards=paid))["critic"]))
    # the last real step of the first window only where the task itself ended there, not at a time limit
    assert known == [True, True, over, False, True, True, True, False]
    v = term.v(states).squeeze(-1)
    target = rewards + 0.5 * torch.cat([v[:, 1:], torch.zeros(2, 1)], 1) * ~terminated
    q = torch.stack([head(states)[..., 0] for head in term.q])
    held = q.amin(0)  # the slow critics have not moved yet
    value = (torch.where(held > v, 0.7, 0.3) * (held - v).square())[mask].sum()
    expected = value + (q - target).square().sum(0)[torch.tensor(known).view(2, 4)].sum()
    torch.testing.assert_close(before, expected)


def test_word_clusters_gather_words_of_one_direction() -> None:
    backbone = load_backbone("random:mini", seed=0)
    axes = torch.eye(backbone.width)[:3]
    with torch.no_grad():
        backbone.word_table.weight.copy_(axes.repeat(2000, 1)[:4096] + 0.01 * torch.randn(4096, backbone.width))
    centres = word_clusters(backbone, 40, seed=0)
    assert torch.allclose(centres.norm(dim=-1), torch.ones(40), atol=1e-4)
    alignment = Alignment(backbone, 40)
    alignment.centres.copy_(centres)
    mask = torch.tensor([[True, True, False]])
    near = alignment.loss(5 * axes[None], mask)
    assert float(near) == pytest.approx(-2 / 3, abs=0.02)
    assert len(Alignment(backbone, 100_000).centres) == 1024


def test_the_pull_of_words_fades_along_the_published_sigmoid() -> None:
    # Wiki-RL's code: 1 / (1 + exp(-((5000 - x) / 500 - 5)))
    for step in (0, 1000, 2500, 4000, 5000):
        assert share_left(step, 5000) == pytest.approx(1 / (1 + math.exp(-((5000 - step) / 500 - 5))))
    assert share_left(10**9, 5000) < 1e-12


@pytest.mark.parametrize(("timestep", "seen"), [("after-norm", False), ("before-norm", True)])
def test_alignment_pulls_at_what_the_norm_gives(windows: WindowBatch, timestep: str, seen: bool) -> None:
    torch.manual_seed(0)
    backbone = load_backbone("random:mini", seed=0)
    config = ModelConfig(context=4, timestep=timestep, timestep_std=1.0)  # type: ignore[arg-type]
    policy = Policy(BREAKOUT, backbone, config, PolicyStatistics(1.0, 100), clusters=8).eval()
    assert policy.alignment is not None
    policy.alignment.centres.copy_(word_clusters(backbone, 8, seed=0))
    moved = replace(windows, timesteps=windows.timesteps + 7)
    with torch.no_grad():
        now, later = policy.losses(windows), policy.losses(moved)
    assert not torch.equal(now["decision"], later["decision"])
    assert torch.equal(now["alignment"], later["alignment"]) is not seen


@pytest.mark.parametrize(("targets", "count"), [("attention", 4), ("attention-output", 8), ("mlp", 8), ("all", 16)])
def test_adapters_go_where_they_are_wanted(targets: str, count: int) -> None:
    backbone = load_backbone("random:mini", seed=0)
    names = adapt(backbone, "lora", rank=2, targets=targets)  # type: ignore[arg-type]
    assert len(names) == 2 * count


def test_the_published_decision_transformer_has_its_size() -> None:
    backbone = load_backbone("random:dt", seed=0)
    assert (backbone.layers, backbone.width, backbone.model.config.activation_function) == (3, 128, "relu")
    adapt(backbone, "full")
    config = ModelConfig(context=20, embedding="linear", timestep="before-norm", trunk_positions=False)
    policy = Policy(HOPPER, backbone, config, PolicyStatistics(1.0, 1000))
    live = sum(p.numel() for n, p in policy.named_parameters() if p.requires_grad and "wpe" not in n)
    assert live == pytest.approx(0.73e6, rel=0.02)  # the rest of the published 0.86 million are positions, never added
