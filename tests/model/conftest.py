"""Small real policies for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from lamo_core.config import ModelConfig
from lamo_core.data.windows import WindowBatch
from lamo_core.model.backbone import load_backbone
from lamo_core.model.lora.adapters import adapt
from lamo_core.model.policy import Policy, PolicyStatistics
from lamo_core.tasks.registry import get_task

MakePolicy = Callable[..., Policy]


@pytest.fixture
def make_policy() -> MakePolicy:
    def make(backbone: str = "random:mini", **changes: object) -> Policy:
        config = replace(ModelConfig(dropout=0.0, context=6), **changes)  # type: ignore[arg-type]
        torch.manual_seed(0)
        parts = load_backbone(backbone, dropout=config.dropout, attention_dropout=0.0, seed=0)
        adapt(
            parts,
            config.adapter,
            rank=config.lora_rank,
            alpha=config.lora_alpha,
            dropout=config.lora_dropout,
        )
        return Policy(get_task("atari-breakout"), parts, config, PolicyStatistics(10.0, 100))

    return make


@pytest.fixture
def windows() -> WindowBatch:
    torch.manual_seed(1)
    batch, steps = 3, 6
    return WindowBatch(
        observations=torch.randint(0, 256, (batch, steps + 3, 84, 84), dtype=torch.uint8),
        actions=torch.randint(0, 4, (batch, steps)),
        returns_to_go=torch.rand(batch, steps),
        timesteps=torch.arange(steps).expand(batch, steps) + 5,
        mask=torch.ones(batch, steps, dtype=torch.bool),
    )
