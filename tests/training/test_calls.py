"""How many operator calls a step takes at GPT-2's structure, which bounds how fast any device can take it."""

from __future__ import annotations

import pytest

from lamo_tui.benchmarks.step import _calls, _steps, made_up_session

SMALL = ["model.backbone=random:gpt2", "optim.batch_size=1", "model.context=2"]
"""Next to no arithmetic; calls do not depend on how long windows are."""


@pytest.mark.parametrize(("preset", "most"), [("paper-mujoco-hopper", 2_500), ("paper-atari-breakout", 2_600)])
def test_a_step_of_gpt2s_structure_takes_few_calls(preset: str, most: int) -> None:
    advance = _steps(made_up_session(preset, SMALL))
    next(advance)
    assert _calls(advance) < most
