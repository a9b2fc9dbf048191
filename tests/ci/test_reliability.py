"""The page of faults and counts is what its command writes."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / ".ci" / "reliability"


@pytest.fixture(scope="module")
def reliability() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("reliability", str(SCRIPT))
    spec = importlib.util.spec_from_loader("reliability", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_page_is_what_the_counts_say() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_counts_of_several_seeds_are_summed_and_what_was_not_run_is_said(reliability: ModuleType) -> None:
    counts = {"inputs": 5, "read": 2, "refused": 2, "failures": {"hang": 1}, "memory_mib": 300}
    kills = {"kills": 3, "works": 2, "kinds": {"byte": 3}}
    results = {
        "hostile inputs, seed 0": {"logs": counts},
        "hostile inputs, seed 1": {"logs": counts, "sweeps": counts},
        "kills, seed 0": {"Atari": kills},
        "kills, seed 1": {"Atari": {**kills, "kinds": {"moment": 3}}},
        "passed": {"Python 3.12": ["smoke tests"]},
    }
    page = reliability.page(results, [{"fault": "f", "what": "w", "code": "1", "lost": "nothing"}])
    assert "| logs | 10 | 4 | 4 | 2 | 300 MiB |" in page
    assert "Of 15 inputs 3 failed." in page
    assert "| Atari | 6 | 3 | 3 |" in page
    assert "| Python 3.12 | smoke tests |" in page
    assert "| Python 3.13 | not run |" in page
    assert "### Soak\n\nNot run." in page


def test_every_fault_is_told_whole() -> None:
    faults = json.loads((ROOT / "tests/robustness/faults.json").read_text())
    assert len(faults) > 20
    for fault in faults:
        assert set(fault) == {"fault", "what", "code", "lost"}
        assert fault["fault"]
        assert fault["what"]
        assert fault["lost"]
