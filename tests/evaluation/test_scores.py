"""Scores are plain numbers on the task's scale."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from lamo_core.evaluation.scores import target_score
from lamo_core.tasks.registry import get_task


def test_target_score_summarises_its_episodes() -> None:
    score = target_score(
        get_task("atari-breakout"),
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
