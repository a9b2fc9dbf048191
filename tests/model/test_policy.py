"""What must hold of the policy whatever its parts are."""

from __future__ import annotations

import copy
from dataclasses import fields, replace
from typing import Literal

import pytest
import torch

from lamo_core.config import ModelConfig, ValueConfig
from lamo_core.data.windows import WindowBatch
from lamo_core.model.backbone import load_backbone
from lamo_core.model.lora.adapters import adapt
from lamo_core.model.losses import decision_loss
from lamo_core.model.policy import Policy, PolicyStatistics
from lamo_core.settings.presets import resolve
from lamo_core.tasks.registry import get_task
from tests.model.conftest import MakePolicy
from tests.model.host_reads import NoHostReads

VARIANTS = [
    {},
    {"timestep": "before-norm"},
    {"timestep": "none", "trunk_positions": False},
    {"embedding": "linear", "logits": "tanh", "adapter": "full"},
    {"adapter": "frozen"},
    {"return_tokens": "injected"},
    {"return_tokens": "latest"},
]


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_future_token_changes_a_past_action(
    make_policy: MakePolicy, windows: WindowBatch, variant: dict[str, object]
) -> None:
    policy = make_policy(**variant).eval()
    with torch.no_grad():
        before = policy(windows)
        for t in range(policy.context):
            later = replace(
                windows,
                observations=windows.observations.clone(),
                actions=windows.actions.clone(),
                returns_to_go=windows.returns_to_go.clone(),
            )
            later.observations[:, t + 4 :] = 255 - later.observations[:, t + 4 :]
            later.actions[:, t:] = 3 - later.actions[:, t:]
            later.returns_to_go[:, t + 1 :] += 1
            after = policy(later)
            torch.testing.assert_close(after[:, : t + 1], before[:, : t + 1], atol=1e-5, rtol=1e-5)
            if t + 1 < policy.context:
                assert not torch.allclose(after[:, t + 1], before[:, t + 1], atol=1e-5)


def test_the_present_action_is_hidden_and_everything_before_is_seen(
    make_policy: MakePolicy, windows: WindowBatch
) -> None:
    policy = make_policy().eval()
    with torch.no_grad():
        before = policy(windows)
        for name in ("observations", "actions", "returns_to_go"):
            changed = getattr(windows, name).clone()
            changed[:, 0] = 3 - changed[:, 0] if name == "actions" else changed[:, 0] + 1
            after = policy(replace(windows, **{name: changed}))
            assert not torch.allclose(after[:, -1], before[:, -1], atol=1e-6), name


def test_lora_does_nothing_before_the_first_step(make_policy: MakePolicy, windows: WindowBatch) -> None:
    with torch.no_grad():
        adapted, frozen = make_policy(adapter="lora").eval(), make_policy(adapter="frozen").eval()
        frozen.load_state_dict(
            {name: value for name, value in adapted.state_dict().items() if not name.startswith("trunk.")},
            strict=False,
        )
        torch.testing.assert_close(adapted(windows), frozen(windows))


def test_what_trains_is_the_expected_set(make_policy: MakePolicy) -> None:
    def inside(adapter: str) -> set[str]:
        policy = make_policy(adapter=adapter)
        return {name for name, p in policy.named_parameters() if p.requires_grad and name.startswith("trunk.")}

    assert inside("frozen") == set()
    assert len(inside("lora")) == 4 * 2
    assert all(".c_attn." in name and "lora_" in name for name in inside("lora"))
    assert not any("lora_" in name for name in inside("full"))
    assert any("mlp" in name for name in inside("full"))
    outside = {name for name, p in make_policy().named_parameters() if not name.startswith("trunk.")}
    assert outside
    assert all(p.requires_grad for n, p in make_policy().named_parameters() if n in outside)


def test_gradients_reach_every_trained_tensor(make_policy: MakePolicy, windows: WindowBatch) -> None:
    policy = make_policy()
    # LoRA starts with B = 0, so A gets its first gradient only after one step
    optimiser = torch.optim.SGD([p for p in policy.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):
        optimiser.zero_grad()
        decision_loss(policy(windows), windows.actions, windows.mask).total.backward()
        optimiser.step()
    without = [n for n, p in policy.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert without == []


def test_right_padding_changes_neither_loss_nor_gradient(make_policy: MakePolicy, windows: WindowBatch) -> None:
    policy = make_policy(adapter="frozen")
    mask = windows.mask.clone()
    mask[:, 4:] = False

    def gradient(batch: WindowBatch) -> tuple[torch.Tensor, torch.Tensor]:
        policy.zero_grad()
        loss = decision_loss(policy(batch), batch.actions, batch.mask).total
        loss.backward()
        return loss.detach(), policy.embed_state.linear.weight.grad.clone()  # type: ignore[union-attr]

    plain = gradient(replace(windows, mask=mask))
    frames = windows.observations.clone()
    frames[:, 7:] = 0
    returns = windows.returns_to_go.clone()
    returns[:, 4:] = 99
    spoiled = gradient(replace(windows, mask=mask, observations=frames, returns_to_go=returns))
    for ours, other in zip(plain, spoiled, strict=True):
        torch.testing.assert_close(ours, other)


@pytest.mark.parametrize("task", ["atari-breakout", "mujoco-hopper"])
@pytest.mark.parametrize("tokens", ["own", "vocabulary"])
def test_not_even_a_nan_in_padding_reaches_a_gradient(task: str, tokens: Literal["own", "vocabulary"]) -> None:
    policy, batch = everything(task, tokens)
    spoiled = copy.deepcopy(batch)
    for name in ("observations", "actions", "returns_to_go", "rewards"):
        clean_values, values = getattr(batch, name), getattr(spoiled, name)
        if values.is_floating_point():
            clean_values[~batch.mask] = 0.0
            values[~batch.mask] = float("nan")

    def gradients(batch: WindowBatch) -> dict[str, torch.Tensor]:
        policy.zero_grad()
        losses = policy.losses(batch)
        torch.stack(list(losses.values())).sum().backward()
        found = {name: p.grad.clone() for name, p in policy.named_parameters() if p.grad is not None}
        return {**found, **{f"loss {name}": loss.detach() for name, loss in losses.items()}}

    clean, dirty = gradients(batch), gradients(spoiled)
    assert {"loss decision", "loss critic", "loss q", "loss maximum", "loss alignment"} <= clean.keys() == dirty.keys()
    for name, value in clean.items():
        assert torch.equal(value, dirty[name]), name
        assert value.isfinite().all(), name


def test_a_loss_never_asks_the_device_how_many_steps_are_real() -> None:
    policy, batch = everything("mujoco-hopper", "own")
    moved = {field.name: getattr(batch, field.name) for field in fields(batch)}
    on_device = WindowBatch(**{name: None if value is None else value.to("meta") for name, value in moved.items()})
    policy.to("meta")
    with NoHostReads():
        states = policy.encode_windows(on_device)
        assert policy.q_term is not None
        assert policy.maximum is not None
        assert policy.alignment is not None
        read = torch.zeros_like(on_device.actions, requires_grad=True)
        policy.q_term.losses(states, read, on_device)
        policy.maximum.loss(states, on_device)
        policy.alignment.loss(states, on_device.mask)
        decision_loss(read, on_device.actions, on_device.mask).total.backward()
        with pytest.raises(AssertionError, match="mask makes the host wait"):
            read[on_device.mask]


def everything(task: str, tokens: Literal["own", "vocabulary"]) -> tuple[Policy, WindowBatch]:
    """Return a policy with every loss that there is, and windows with padding after three steps."""
    torch.manual_seed(0)
    config = ModelConfig(context=5, dropout=0.0, action_tokens=tokens, q_weight=1.0)
    backbone = load_backbone("random:mini", seed=0)
    adapt(backbone, "lora", rank=2)
    kind = get_task(task)
    policy = Policy(
        kind, backbone, config, PolicyStatistics(1.0, 100), value=ValueConfig(), learned_maximum=True, clusters=8
    )
    assert policy.alignment is not None
    torch.nn.init.normal_(policy.alignment.centres)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    discrete, frames = kind.action_kind == "discrete", kind.observation == "frames"
    features = () if frames else kind.observation_shape
    seen = torch.randint(0, 256, (2, 8, 84, 84), dtype=torch.uint8) if frames else torch.randn(2, 5, *features)
    actions = torch.randint(0, kind.actions, (2, 5)) if discrete else torch.rand(2, 5, kind.actions) * 2 - 1
    times = torch.arange(5).expand(2, 5)
    ends = torch.zeros(2, 5, dtype=torch.bool)
    return policy, WindowBatch(seen, actions, torch.rand(2, 5), times, mask, None, torch.rand(2, 5), ends)


def test_timesteps_that_the_data_do_not_reach_share_the_last_that_is_trained(
    make_policy: MakePolicy, windows: WindowBatch
) -> None:
    policy = make_policy().eval()  # of episodes of 100 steps: their timesteps are 0 to 99
    with torch.no_grad():
        before, last, beyond, far = (
            policy(replace(windows, timesteps=torch.full_like(windows.timesteps, step)))
            for step in (98, 99, 100, 10**6)
        )
    assert torch.equal(last, beyond)
    assert torch.equal(last, far)
    assert not torch.equal(last, before)


@pytest.mark.parametrize(
    ("preset", "layers", "tanh", "windows"),
    [
        ("paper-mujoco-walker2d", 3, False, "every-start"),
        ("paper-mujoco-hopper", 1, True, "every-start"),
        ("paper-kitchen-partial", 3, False, "every-start"),
        ("paper-atari-qbert", 1, False, "full"),
        ("official-atari-qbert", 1, True, "full"),
    ],
)
def test_presets_of_the_paper_have_the_parts_of_its_code(preset: str, layers: int, tanh: bool, windows: str) -> None:
    torch.manual_seed(0)
    config = resolve(preset).config
    policy = Policy(
        get_task(config.task.name), load_backbone("random:mini", seed=0), config.model, PolicyStatistics(1.0, 100)
    )
    assert policy.head is not None
    assert (len(policy.head.layers), policy.head.tanh) == (layers, tanh)
    assert policy.embed_time is not None
    assert float(policy.embed_time.weight.detach().std()) == pytest.approx(1.0, abs=0.05)
    assert config.data.windows == windows
