"""Speed and time left."""

from __future__ import annotations

import pytest

from lamo_core.config import EvalConfig
from lamo_core.runs.timing.rate import RateMeter
from lamo_core.training.events import Changed
from tests.runs.run_doubles import eval_done, score, started, step_done


def test_nothing_is_claimed_before_the_first_step() -> None:
    meter = RateMeter(EvalConfig())
    assert (meter.rate, meter.eta) == (None, None)
    meter.write(started(total=10))
    assert (meter.rate, meter.eta) == (None, None)


def test_slow_first_steps_count_only_while_they_are_alone() -> None:
    meter = RateMeter()
    meter.write(started(total=100))
    meter.write(step_done(1, seconds=10.0))
    assert meter.rate == pytest.approx(0.1)
    for step in range(2, 11):
        meter.write(step_done(step, seconds=10.0 if step <= 3 else 0.5))
    assert meter.rate == pytest.approx(2.0)
    assert meter.eta == pytest.approx(45.0)


def test_evaluations_do_not_slow_the_rate_but_add_to_the_time_left() -> None:
    meter = RateMeter(EvalConfig(every=10, episodes=2, final_episodes=5))
    meter.write(started(total=40))
    for step in range(1, 11):
        meter.write(step_done(step, seconds=1.0))
    assert meter.eta == pytest.approx(30.0)
    meter.write(eval_done(10, score([1.0, 2.0]), seconds=6.0))
    assert meter.rate == pytest.approx(1.0)
    # at 20 and 30 two episodes each, five after the last step, three seconds per episode
    assert meter.eta == pytest.approx(30.0 + (2 + 2 + 5) * 3.0)
    meter.write(Changed(10, 1.0, name="eval.every", value=0.0))
    assert meter.eta == pytest.approx(30.0 + 5 * 3.0)
    meter.write(eval_done(40, score([1.0, 2.0]), seconds=6.0, final=True))
    assert meter.eta == 0.0
