"""Small real sessions: the real policy and loop on a few random frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lamo_core.config import RunConfig
from lamo_core.data.episodes import EpisodeStore, FrameArray
from lamo_core.training import session as sessions
from lamo_core.training.session import Session

MakeConfig = Callable[..., RunConfig]


def toy_store() -> EpisodeStore:
    """Return three episodes of noise, one of them shorter than the context."""
    rng = np.random.default_rng(0)
    lengths = np.array([9, 2, 7])
    steps, rows = int(lengths.sum()), int((lengths + 1).sum())
    frames = rng.integers(0, 256, (rows + 1, 84, 84), dtype=np.uint8)
    frames[-1] = 0
    return EpisodeStore(
        "toy",
        FrameArray(frames),
        rng.integers(0, 4, steps).astype(np.uint8),
        rng.integers(0, 2, steps).astype(np.float32),
        lengths,
        np.ones(3, bool),
        np.zeros(3, bool),
    )


@pytest.fixture
def make_config(monkeypatch: pytest.MonkeyPatch) -> MakeConfig:
    monkeypatch.setattr(sessions, "open_data", lambda *arguments: toy_store())

    def make(**groups: dict[str, Any]) -> RunConfig:
        values: dict[str, Any] = {
            "device": "cpu",
            "precision": "fp32",
            "model": {"backbone": "random:mini", "context": 4, "dropout": 0.1, "lora_rank": 2},
            "optim": {"steps": 6, "batch_size": 4, "micro_batch_size": 3, "warmup_steps": 2},
            "eval": {"every": 0, "final_episodes": 0},
            "checkpoint": {"every": 3, "keep": 2},
        }
        for group, changes in groups.items():
            values[group] = {**values.get(group, {}), **changes}
        return RunConfig.from_dict(values)

    return make


def no_evaluation(session: Session, episodes: int) -> list[Any]:
    """Stand in for roll-outs where none are wanted."""
    raise AssertionError("no evaluation was due")
