"""What a policy learns from and what it is asked for, side by side."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.target_coverage import return_scale, seen_returns
from lamo_core.data.windows import returns_to_go
from lamo_core.errors import UsageError
from lamo_tui.cli.data.data_returns import returns


def store(rewards: list[list[float]]) -> EpisodeStore:
    lengths = np.array([len(part) for part in rewards], np.int64)
    steps = int(lengths.sum())
    return EpisodeStore(
        name="made",
        observations=np.zeros((steps + len(lengths), 1), np.float32),
        actions=np.zeros((steps, 1), np.float32),
        rewards=np.concatenate(rewards).astype(np.float32),
        lengths=lengths,
        terminated=np.ones(len(lengths), np.bool_),
        truncated=np.zeros(len(lengths), np.bool_),
    )


def test_targets_are_found_in_the_data() -> None:
    made = store([[0, 1, 0, 1], [1, 1, 1, 1, 0, 0]])
    found = seen_returns(made, returns_to_go(made, "inclusive", "raw"), 2.0, (2.0, 4.0, -1.0))
    assert found.firsts == (1.0, pytest.approx(1.05), 1.5, pytest.approx(1.95), 2.0)
    assert found.all[0] == 0.0
    assert found.median_length == 5
    two, four, none = found.asked
    assert (two.seen, two.as_much, two.decisions_left) == (1.0, 0.5, 4.0)
    assert (four.as_much, four.decisions_left) == (0.1, 5.0)
    assert none.decisions_left == 0


def test_the_scale_is_the_largest_return_unless_it_is_set() -> None:
    made = store([[-3.0], [2.0]])
    assert return_scale(made, "raw", 0.0) == 3.0
    assert return_scale(made, "raw", 10.0) == 10.0
    assert return_scale(store([[0.1]]), "raw", 0.0) == 1.0


def test_the_published_kitchen_asks_for_what_the_data_have_only_at_their_ends() -> None:
    app = typer.Typer()
    app.command()(returns)
    preset = "kitchen-complete-30pct"
    ours = json.loads(CliRunner().invoke(app, [preset, "--json"]).stdout)
    assert ours["firsts"] == [1.0] * 5
    assert ours["asked"][0]["decisions_left"] == ours["median_length"]
    words = [preset, "--ablation", "official-kitchen-rewards"]
    published = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert min(published["firsts"]) > 100
    assert [asked["target"] for asked in published["asked"]] == [4.0, 5.0]
    assert max(asked["decisions_left"] for asked in published["asked"]) < 5
    assert "asked for 4, read as 4:" in CliRunner().invoke(app, words).stdout
    refused = CliRunner().invoke(app, [preset, "--ablation", "no-returns"])
    assert isinstance(refused.exception, UsageError)
