"""Sequence policies give the outputs, losses and gradients of published code, which `make_policies` wrote down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lamo_core.config import RunConfig
from lamo_core.data.windows import WindowBatch
from lamo_core.model.backbone import load_backbone
from lamo_core.model.policy import Policy, PolicyStatistics
from lamo_core.settings.presets import resolve
from lamo_core.training.checkpoint import fresh_policy
from tests.parity import inputs

OFF = ["model.dropout=0", "model.attention_dropout=0", "model.lora_dropout=0"]
CASES = [
    ("policy-atari", "official-atari-breakout", "lamo"),
    # the policy with two-layer embeddings on a task whose windows are as wide as Hopper's
    ("policy-d4rl", "paper-mujoco-halfcheetah", "lamo"),
    ("policy-d4rl-linear", "paper-mujoco-hopper", "lamo"),
    ("policy-dt", "paper-mujoco-hopper", "dt"),
]


def configured(preset: str, method: str, folder: Path) -> RunConfig:
    """Return a preset's own settings, but for dropout and the size of GPT-2."""
    described = {"model_type": "gpt2", "vocab_size": 50, "n_positions": 1024, **inputs.TRUNK}
    (folder / "config.json").write_text(json.dumps(described))
    settings = OFF if method == "dt" else [*OFF, f"model.backbone=random:{folder}"]
    if "halfcheetah" in preset:
        settings = [*settings, "task.name=mujoco-hopper"]
    return resolve(preset, method=method, settings=settings).config


def filled(config: RunConfig) -> Policy:
    """Return the policy of a config with the numbers that published code had."""
    backbone = load_backbone(config.model.backbone, dropout=0.0, attention_dropout=0.0, seed=0)
    mean, spread = (tuple(numbers.tolist()) for numbers in inputs.state_statistics())
    policy, _ = fresh_policy(config, backbone, PolicyStatistics(1.0, 64, mean, spread))
    inputs.fill(policy.named_parameters())
    return policy


@pytest.mark.parametrize(("name", "preset", "method"), CASES)
def test_outputs_losses_and_gradients_are_those_of_published_code(
    name: str, preset: str, method: str, tmp_path: Path
) -> None:
    expected = inputs.read_numbers(name)
    config = configured(preset, method, tmp_path)
    policy = filled(config).train()
    frames = config.task.name.startswith("atari")
    batch = WindowBatch(**(inputs.frame_windows() if frames else inputs.vector_windows()))
    outputs = policy(batch)[batch.mask]
    torch.testing.assert_close(outputs, torch.tensor(expected["outputs"]), rtol=1e-4, atol=2e-6)
    loss = policy.losses(batch)["decision"] / batch.mask.sum()
    assert loss.item() == pytest.approx(expected["loss"], rel=1e-6)
    loss.backward()
    found = {key: inputs.fingerprint(key, p.grad) for key, p in policy.named_parameters() if p.grad is not None}
    assert found.keys() == expected["gradients"].keys()
    for key, (length, product) in expected["gradients"].items():
        assert found[key] == pytest.approx([length, product], rel=1e-4, abs=1e-4 * length), key
