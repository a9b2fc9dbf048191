"""Places of their own for the trials, and the file that takes their counts."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lamo_core.model.backbone import load_backbone
from tests.robustness.trial import HOMES

Keep = Callable[[str, str, dict[str, Any]], None]


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Let whatever the trials start write into a folder of theirs, and compute with one thread, as forks need."""
    home = tmp_path_factory.mktemp("home")
    places = {name: str(home / name.lower()) for name in HOMES}
    places |= {
        "LAMO_CONFIG": str(home / "config.toml"),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    before = {name: os.environ.get(name) for name in places}
    for name in HOMES:
        Path(places[name]).mkdir()
    os.environ.update(places)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    tempfile.tempdir = None
    load_backbone("random:mini")  # once, not in every process that is forked
    yield home
    tempfile.tempdir = None
    torch.set_num_threads(threads)
    for name, value in before.items():
        os.environ.pop(name, None) if value is None else os.environ.update({name: value})


@pytest.fixture
def keep(pytestconfig: pytest.Config) -> Keep:
    """Return a function that notes counts: of which part, of what, and which; does nothing without a file for them."""
    path: Path | None = pytestconfig.getoption("--robustness-results")

    def note(part: str, what: str, counts: dict[str, Any]) -> None:
        if path is not None:
            found = json.loads(path.read_text()) if path.exists() else {}
            found.setdefault(part, {})[what] = counts
            path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")

    return note
