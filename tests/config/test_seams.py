"""Frequent changes stay small: what is named in one place is not looked up by name in another."""

from __future__ import annotations

from importlib import import_module
from typing import get_args

import pytest

from lamo_core.baselines.policy import MarkovPolicy
from lamo_core.config import MethodName, ValueConfig
from lamo_core.errors import UsageError
from lamo_core.methods import METHODS
from lamo_core.settings import preset_parts
from lamo_core.settings.preset_parts import find_task


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("breakout", "atari-breakout"),
        ("atari-breakout", "atari-breakout"),
        ("complete", "kitchen-complete"),
        ("reacher2d", "mujoco-reacher2d"),
    ],
)
def test_the_name_of_the_simulator_may_be_left_away(text: str, task: str) -> None:
    assert find_task(text) == task


def test_that_holds_for_simulators_that_are_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preset_parts, "preset_tasks", lambda variant: ["classic-swing-up", "swing-up", "classic-swing"])
    assert [find_task(name) for name in ("swing-up", "classic-swing-up", "swing")] == [
        "swing-up",
        "classic-swing-up",
        "classic-swing",
    ]
    with pytest.raises(UsageError, match="did you mean"):
        find_task("swin")


def test_every_method_has_a_row_which_names_classes_and_settings_that_exist() -> None:
    assert tuple(METHODS) == get_args(MethodName)
    for method in METHODS.values():
        for learned in method.policies.values():
            module, _, name = learned.policy.partition(":")
            assert issubclass(getattr(import_module(f"lamo_core.baselines.{module}"), name), MarkovPolicy)
            assert set(learned.reads.split()) <= set(ValueConfig.__dataclass_fields__)
        assert method.memory == (not method.policies)
        assert method.values or not any(learned.reads for learned in method.policies.values())
