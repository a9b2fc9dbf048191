"""Run specifications: one description of a run for the command line, sweeps and the dashboard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lamo_core.engine.run_spec import RunSpec, spec_of
from lamo_core.errors import UsageError
from lamo_core.runs.index import list_runs
from lamo_core.settings.presets import resolve
from lamo_tui.cli.app import app

FULL = RunSpec(
    "mujoco-hopper-3pct",
    method="dt",
    ablations=("timestep-embedding", "context-length-5"),
    settings=("optim.steps=7", "eval.targets=100,200", "model.dropout=0.5"),
    seed=4,
    ratio=0.007,
    device="cpu",
    precision="fp32",
)


def test_what_is_left_out_is_left_to_the_preset() -> None:
    assert RunSpec("mujoco-hopper-3pct").resolve() == resolve("mujoco-hopper-3pct")
    assert RunSpec("mujoco-hopper-3pct").to_argv() == ["lamo", "train", "--preset", "mujoco-hopper-3pct"]
    resolved = FULL.resolve()
    assert resolved.origins["data.ratio"] == resolved.origins["seed"] == "command line"
    assert (resolved.config.data.ratio, resolved.config.optim.steps, resolved.config.method) == (0.007, 7, "dt")


@pytest.mark.parametrize("spec", [FULL, RunSpec("atari-pong-0.1pct"), RunSpec("atari-pong-1pct", name="mine")])
def test_its_command_makes_the_same_run(spec: RunSpec) -> None:
    done = CliRunner().invoke(app, [*spec.to_argv()[1:], "--dry-run", "--json"])
    assert done.exit_code == 0, done.exception
    assert json.loads(done.stdout)["config"] == spec.resolve().config.to_dict()


def test_a_file_lies_between_ablations_and_settings(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[optim]\nsteps = 3\nbatch_size = 5\n")
    spec = RunSpec("atari-pong-1pct", file=file, settings=("optim.batch_size=7",))
    config = spec.resolve().config
    assert (config.optim.steps, config.optim.batch_size) == (3, 7)
    assert spec.to_argv()[4:6] == ["--config", str(file)]


def test_it_comes_back_from_a_file() -> None:
    for spec in (FULL, RunSpec("atari-pong-1pct"), RunSpec("atari-pong-1pct", name="mine")):
        assert spec_of(json.loads(json.dumps(spec.to_record()))) == spec


@pytest.mark.parametrize(
    "changes",
    [
        {"preset": 3},
        {"method": ["dt"]},
        {"ablations": "frozen"},
        {"settings": [3]},
        {"flags": {"seed": "0"}},
        {"flags": {"seed": True}},
        {"flags": {"data.ratio": "all"}},
        {"flags": {"device": 3}},
        {"flags": {"optim.steps": 3}},
        {"flags": 3},
    ],
)
def test_records_of_another_form_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError, LookupError)):
        spec_of({**FULL.to_record(), **changes})


def test_seeds_and_settings_are_changed_in_copies() -> None:
    assert [spec.seed for spec in FULL.with_seeds((1, 2))] == [1, 2]
    changed = FULL.with_setting("optim.steps", "9")
    assert changed.settings == ("eval.targets=100,200", "model.dropout=0.5", "optim.steps=9")
    with pytest.raises(UsageError, match="whole number"):
        FULL.with_setting("optim.steps", "many")


def test_a_run_says_what_it_was_made_from(tmp_path: Path) -> None:
    run = FULL.create(tmp_path)
    info = run.read_info()
    assert info["argv"] == FULL.to_argv()
    assert info["config"] == FULL.resolve().config.to_dict()
    assert [one.id for one in list_runs(tmp_path)] == [run.id]
