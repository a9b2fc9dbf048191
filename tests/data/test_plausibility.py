"""Plausibility checks: each thing that cannot be is said, and bundled sets have none of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lamo_core.data.checks.plausibility import set_warnings, vector_warnings
from lamo_core.data.formats.vector_file import VectorHeader, VectorSet
from lamo_core.data.sources.manage import all_sets
from lamo_tui.cli.data.data import app
from tests.data.sources.made_sources import d4rl_tables, write_d4rl
from tests.data.sources.web_server import Published

LENGTHS = (4, 6, 3)


def content(discrete: bool = False) -> VectorSet:
    """Return three episodes with nothing odd about them."""
    rng = np.random.default_rng(0)
    steps, episodes = sum(LENGTHS), len(LENGTHS)
    header = VectorHeader("s", "t", episodes, steps, 3, 2, ("p",), discrete=discrete)
    actions = np.arange(steps, dtype=np.uint8) % 2 if discrete else rng.uniform(-1, 1, (steps, 2)).astype(np.float32)
    return VectorSet(
        header=header,
        lengths=np.array(LENGTHS),
        seeds=np.arange(episodes),
        terminated=np.ones(episodes, np.bool_),
        policies=np.zeros(episodes, np.int64),
        noise=np.zeros(episodes, np.float32),
        observations=rng.standard_normal((steps + episodes, 3)).astype(np.float32),
        actions=actions,
        rewards=rng.standard_normal(steps).astype(np.float32),
    )


def with_rewards(found: VectorSet, value: float) -> VectorSet:
    """Return the set with one reward of another value, or all of them where it is 0."""
    rewards = found.rewards.copy()
    rewards[5 if value else slice(None)] = value
    return replace(found, rewards=rewards)


def with_rows(found: VectorSet, rows: slice, columns: slice) -> VectorSet:
    """Return the set with observations that stay as they are at their first of the rows."""
    observations = found.observations.copy()
    observations[rows, columns] = observations[rows, columns][:1]
    return replace(found, observations=observations)


ODD: list[tuple[Callable[[VectorSet], VectorSet], str]] = [
    (lambda found: replace(found, lengths=np.array([0, 10, 3])), "1 episode without a step"),
    (lambda found: with_rewards(found, np.inf), "1 episode with a return that is not a finite number"),
    (lambda found: with_rewards(found, np.nan), "a return that is not a finite number"),
    (lambda found: with_rewards(found, 0), "every reward is 0"),
    (lambda found: replace(found, actions=found.actions * 3), "actions outside of -1 to 1"),
    (lambda found: replace(found, actions=found.actions * 0), "all actions are the same"),
    (lambda found: with_rows(found, slice(None), slice(None)), "all observations are the same"),
    (lambda found: with_rows(found, slice(None), slice(1, 2)), "1 of 3 numbers of the observations never change: 1"),
    (lambda found: with_rows(found, slice(5, 12), slice(None)), "1 episode in which nothing that is seen ever changes"),
    (lambda found: replace(found, observations=found.observations / 0), "numbers that are not finite"),
]


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize(("change", "warning"), ODD)
def test_what_cannot_be_is_said(change: Callable[[VectorSet], VectorSet], warning: str) -> None:
    assert any(warning in one for one in vector_warnings(change(content()), 0))


def test_choices_that_there_are_not() -> None:
    found = content(discrete=True)
    assert vector_warnings(found, 0) == []
    odd = replace(found, actions=found.actions + np.uint8(1))
    assert any("actions outside of 0 to 1" in one for one in vector_warnings(odd, 0))


def test_episodes_longer_than_the_task_allows() -> None:
    assert vector_warnings(content(), 6) == []
    (warning,) = vector_warnings(content(), 3)
    assert warning.startswith("2 episodes longer than the 3 steps that the task allows, up to 6")


def test_nothing_is_odd_about_the_sets_that_ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMO_DATA", str(tmp_path))
    assert {found.name: set_warnings(found) for found in all_sets()} == {found.name: [] for found in all_sets()}


def test_the_card_of_a_set_ends_with_what_is_odd(published: Published, tmp_path: Path) -> None:
    tables = d4rl_tables((1200, 5, 4, 1))
    write_d4rl(tmp_path / "hopper-long.hdf5", tables)
    result = CliRunner().invoke(app, ["import", str(tmp_path / "hopper-long.hdf5")])
    assert "1 episode longer than the 1,000 steps" in result.stderr
    shown = CliRunner().invoke(app, ["show", "hopper-long"]).stdout
    assert "warning   1 episode longer than the 1,000 steps that the task allows, up to 1,200" in shown
    card = json.loads(CliRunner().invoke(app, ["show", "hopper-long", "--json"]).stdout)
    assert len(card["warnings"]) == 1

    path = tmp_path / "data" / "imported" / "hopper-long" / "set.lamovec"
    path.write_bytes(path.read_bytes()[:-1])
    shown = CliRunner().invoke(app, ["show", "hopper-long"]).stdout
    assert "checksum does not fit; delete it with `lamo data rm hopper-long` and import it again" in shown
