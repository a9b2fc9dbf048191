"""Settings that a run is said not to read change nothing in it, and those that it is shown with are read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import torch
from typer.testing import CliRunner

from lamo_core.config import RunConfig, field_names
from lamo_core.errors import LamoError
from lamo_core.evaluation.evaluate import evaluate
from lamo_core.evaluation.rollout_spec import Asked
from lamo_core.methods import METHODS
from lamo_core.runs.compare import effective_settings, flatten
from lamo_core.settings.strict import hint_of, ranges
from lamo_core.settings.unused import idle_settings
from lamo_core.training import session as sessions
from lamo_core.training.checkpoint import trained_weights
from lamo_core.training.loop import Requests, training_loop
from lamo_core.training.session import Session, new_session
from lamo_tui.cli.app import app
from tests.contract.test_methods import CASES, ShortEpisodes, small_config, toy_store

OUTSIDE = ("task.", "data.memory_gb", "data.cutting", "data.kitchen_rewards")
"""Settings that environments and files read, which are doubles here."""


def other(name: str, value: Any) -> Any:
    """Return another value that a setting may have."""
    hint = hint_of(RunConfig, name)
    if hint is bool:
        return not value
    if get_origin(hint) is Literal:
        return next(option for option in get_args(hint) if option != value)
    allowed = ranges(RunConfig).get(name)
    if allowed is None:
        return "random:mini" if name == "model.backbone" else f"{value}x"
    if isinstance(value, list):
        return [0.5]
    changed = value / 2 if hint is float else value + 1
    return changed if changed != value and allowed.holds(changed) else type(value)(allowed.high)


def with_others(config: RunConfig, names: frozenset[str]) -> RunConfig:
    """Return a config with other values of these settings, but for those that do not go with the rest."""
    for name in sorted(names):
        values = config.to_dict()
        *groups, leaf = name.split(".")
        group = values
        for part in groups:
            group = group[part]
        group[leaf] = other(name, group[leaf])
        try:
            config = RunConfig.from_dict(values)
        except LamoError:
            continue
    return config


def played(config: RunConfig) -> tuple[list[Any], dict[str, torch.Tensor], list[Any]]:
    """Train and evaluate; returns the losses, the weights and the returns."""
    session = new_session(config)
    losses = [
        (event.loss, event.parts, event.grad_norm)
        for event in training_loop(session, Requests(), _nothing, lambda s, best: "")
        if hasattr(event, "grad_norm")
    ]
    asked = Asked.by(config, session.targets, 2)
    scores = evaluate(session.policy, config.task, asked, environments=ShortEpisodes).scores
    return losses, trained_weights(session.policy), [score.returns for score in scores]


def _nothing(session: Session, episodes: int) -> list[Any]:
    return []


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    kind = request.node.callspec.params["kind"]
    for name in ("open_data", "open_unseen"):
        monkeypatch.setattr(sessions, name, lambda *arguments: toy_store(kind))


@pytest.mark.parametrize(("method", "ablations", "kind"), CASES)
def test_what_is_idle_changes_nothing(method: str, ablations: tuple[str, ...], kind: str, toy: None) -> None:
    config = small_config(method, kind, ablations)
    idle = idle_settings(config)
    changed = with_others(config, idle)
    assert len(idle) >= 5
    assert changed != config
    ours, theirs = played(config), played(changed)
    assert ours[0] == theirs[0]
    assert all(torch.equal(ours[1][name], theirs[1][name]) for name in ours[1].keys() | theirs[1].keys())
    assert ours[2] == theirs[2]


@pytest.mark.parametrize(("method", "ablations", "kind"), CASES)
def test_what_is_not_idle_is_read(
    method: str, ablations: tuple[str, ...], kind: str, toy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config(method, kind, ablations)
    read: set[str] = set()

    def watch(cls: type, prefix: str) -> None:
        leaves = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]

        def look(self: object, name: str) -> Any:
            if name in leaves:
                read.add(prefix + name)
            return object.__getattribute__(self, name)

        monkeypatch.setattr(cls, "__getattribute__", look)

    watch(RunConfig, "")
    for group in dataclasses.fields(RunConfig):
        value = getattr(config, group.name)
        if dataclasses.is_dataclass(value):
            watch(type(value), f"{group.name}.")
    played(config)
    monkeypatch.undo()
    never = {"name", "method", "seed", "device"}
    loop = {"eval.every", "eval.episodes", "eval.final_episodes", "checkpoint.every", "checkpoint.keep"}
    data = {name for name in field_names() if name.startswith(OUTSIDE) or name in ("data.source", "data.set")}
    sets = {"data.ratio", "data.ratio_rounding", "data.subset"}
    unread = set(field_names()) - read - idle_settings(config) - never - loop - data - sets
    assert unread == set()


def test_no_method_is_shown_with_settings_that_it_does_not_read() -> None:
    for preset, kind in (
        ("mujoco-hopper-1pct", "continuous"),
        ("atari-pong-1pct", "discrete"),
        ("kitchen-partial-1pct", "continuous"),
    ):
        for name, method in METHODS.items():
            if kind not in method.actions:
                continue
            config = small_config(name, kind) if preset == "mujoco-hopper-1pct" else _resolved(preset, name)
            shown = set(effective_settings(config))
            assert not shown & idle_settings(config)
            assert shown <= set(flatten(config.to_dict()))
            if not method.memory:
                assert not [one for one in shown if one.startswith(("model.b", "model.c", "language.", "alignment."))]


def _resolved(preset: str, method: str) -> RunConfig:
    from lamo_core.settings.presets import resolve

    return resolve(preset, method=method).config


def test_a_dry_run_lists_what_has_an_effect_and_names_what_was_given_in_vain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMO_RUNS", str(tmp_path))
    words = ["train", "--preset", "mujoco-reacher2d-10pct", "--method", "td3+bc", "--set", "model.context=7"]
    text = CliRunner().invoke(app, [*words, "--dry-run"]).stdout
    listed, rest = text.split("settings\n")[1].split("without effect")
    names = [line.split()[0] for line in listed.splitlines()]
    assert "model.backbone" not in names
    assert "model.context" not in names
    assert "value.target_every" in names
    assert "model.context" in rest
    found = json.loads(CliRunner().invoke(app, [*words, "--dry-run", "--json"]).stdout)
    assert {"model.context", "model.backbone", "language.weight"} <= set(found["idle"])
