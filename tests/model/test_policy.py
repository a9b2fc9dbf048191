"""What must hold of the policy whatever its parts are."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lamo_core.data.windows import WindowBatch
from lamo_core.model.backbone import load_backbone
from lamo_core.model.losses import decision_loss
from lamo_core.model.policy import Policy, PolicyStatistics
from lamo_core.presets import resolve
from lamo_core.tasks.registry import get_task
from tests.model.conftest import MakePolicy

VARIANTS = [
    {},
    {"timestep": "before-norm"},
    {"timestep": "none", "trunk_positions": False},
    {"embedding": "linear", "logits": "tanh", "adapter": "full"},
    {"adapter": "frozen"},
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
