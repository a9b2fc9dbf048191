"""A run folder to play with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lamo_core.config import RunConfig
from lamo_core.runs.create import create_run
from lamo_core.runs.directory import RunDirectory


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of runs, empty."""
    monkeypatch.setenv("LAMO_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("LAMO_STATE", str(tmp_path / "state"))
    return tmp_path / "runs"


@pytest.fixture
def make_run(root: Path) -> Callable[..., RunDirectory]:
    """Make a run with some settings changed."""

    def make(**settings: Any) -> RunDirectory:
        values: dict[str, Any] = {}
        for name, value in settings.items():
            *groups, leaf = name.split("__")
            group = values
            for part in groups:
                group = group.setdefault(part, {})
            group[leaf] = value
        return create_run(root, RunConfig.from_dict(values), {"seed": "command line"}, ["lamo", "train"])

    return make


@pytest.fixture
def run(make_run: Callable[..., RunDirectory]) -> RunDirectory:
    """A fresh, queued run."""
    return make_run(name="demo")
