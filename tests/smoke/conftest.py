"""A process of its own for the smoke tests: importing PyTorch, transformers or peft is an error in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.smoke.without_torch import refuse, refused
from tests.tui.conftest import _steady, dashboard, folder, made_folder, pytest_pyfunc_call

__all__ = ["_steady", "dashboard", "folder", "made_folder", "pytest_pyfunc_call"]

_HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Refuse the heavy libraries where nothing but these tests is asked for."""
    if config.getoption("markexpr") == "smoke":
        refuse()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder, so that none of them runs beside those that need PyTorch."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.smoke)


@pytest.fixture(autouse=True)
def _without_torch() -> Iterator[None]:
    assert refused(), "these tests want a process of their own: pytest tests/smoke -m smoke"
    yield
    assert refused(), "a heavy library was loaded past the refusal"


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every folder that the program writes to below a test's own, and return that."""
    for name in ("RUNS", "CACHE", "DATA", "STATE"):
        monkeypatch.setenv(f"LAMO_{name}", str(tmp_path / name.lower()))
    monkeypatch.setenv("LAMO_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path
