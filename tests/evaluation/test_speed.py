"""What the acting benchmark times is what it says."""

from __future__ import annotations

import pytest
import torch

from lamo_core.config import ContextMode
from lamo_core.evaluation.decision_speed import measure_acting, tokens_per_decision
from tests.evaluation.evaluation_doubles import TinyPolicy


@pytest.mark.parametrize("mode", ["sliding", "chunked"])
@pytest.mark.parametrize("size", [6, 5, 1])
def test_tokens_per_decision_are_those_that_the_trunk_reads(
    mode: ContextMode, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = TinyPolicy(context=size)
    read: list[int] = []
    trunk = policy.run_trunk

    def watched(tokens_NLD: torch.Tensor, **settings: object) -> object:
        read.append(tokens_NLD.shape[1])
        return trunk(tokens_NLD, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(policy, "run_trunk", watched)
    speed = measure_acting(policy, mode, episodes=3, steps=7)
    timed = read[-speed.steps :]
    assert len(read) == size + speed.steps
    assert speed.steps >= 7
    assert sum(timed) / len(timed) == pytest.approx(tokens_per_decision(policy, mode))
    assert speed.decisions_per_second == pytest.approx(3 * speed.steps / speed.seconds)


def test_continuous_policies_are_measured_too() -> None:
    assert measure_acting(TinyPolicy(action_kind="continuous"), "chunked", episodes=2, steps=1).episodes == 2
