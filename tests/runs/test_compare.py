"""Differences between configs."""

from __future__ import annotations

from lamo_core.config import RunConfig
from lamo_core.runs.compare import config_difference


def test_only_what_differs_is_shown() -> None:
    left = RunConfig().to_dict()
    right = RunConfig.from_dict({"seed": 2, "model": {"adapter": "frozen"}}).to_dict()
    del right["optim"]["clip"]
    assert config_difference([left, right]) == {
        "seed": (0, 2),
        "model.adapter": ("lora", "frozen"),
        "optim.clip": (1.0, None),
    }
    assert config_difference([left, left, left]) == {}
