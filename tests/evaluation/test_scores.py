"""Scores are plain numbers on the task's scale."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from lamo_core.evaluation.scores import normalised_score, target_score

BREAKOUT = SimpleNamespace(random_score=1.7, expert_score=31.8)


def test_normalised_score_has_random_at_0_and_the_reference_at_100() -> None:
    assert normalised_score(BREAKOUT, 1.7) == 0.0
    assert normalised_score(BREAKOUT, 31.8) == pytest.approx(100.0)
    assert normalised_score(BREAKOUT, 61.9) == pytest.approx(200.0)


def test_target_score_summarises_its_episodes() -> None:
    score = target_score(
        BREAKOUT,
        90.0,
        [10.0, 20.0, 30.0],
        [100, 200, 600],
        steps_per_second=50.0,
        context="sliding",
        action="greedy",
    )
    assert (score.episodes, score.mean, score.length_mean) == (3, 20.0, 300.0)
    assert score.low < score.mean < score.high
    assert score.normalised == pytest.approx(100 * 18.3 / 30.1)
    assert json.loads(json.dumps(score.to_dict()))["returns"] == [10.0, 20.0, 30.0]
    assert str(score).startswith("20.0 [")


def test_scores_import_no_torch() -> None:
    modules = "lamo_core.evaluation.scores, lamo_core.evaluation.targets"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
