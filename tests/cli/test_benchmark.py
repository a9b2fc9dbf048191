"""`lamo benchmark acting` on a tiny trunk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lamo_core.errors import UsageError
from lamo_tui.cli.benchmark import app


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    shape = {"model_type": "gpt2", "vocab_size": 8, "n_positions": 32, "n_embd": 16, "n_layer": 1, "n_head": 2}
    (tmp_path / "config.json").write_text(json.dumps(shape))
    return f"acting --backbone random:{tmp_path} --context 4 --episodes 2 --steps 1 --device cpu".split()


def test_acting_compares_both_modes(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    speeds = {row["context"]: row["decisions_per_second"] for row in report["results"]}
    assert speeds.keys() == {"chunked", "sliding"}
    assert report["gain"] == pytest.approx(speeds["chunked"] / speeds["sliding"])
    lines = CliRunner().invoke(app, arguments).stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["context", "chunked", "sliding"]
    assert "K = 4, 2 episodes" in lines[3]


def test_unknown_task_is_a_sentence(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, [*arguments, "--task", "atari-breakot"])
    assert isinstance(result.exception, UsageError)
    assert "atari-breakout" in str(result.exception)
