"""Which NVIDIA cards a process may use, told by a stand-in for `nvidia-smi`."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lamo_core.runs.queue import devices
from lamo_core.runs.queue.devices import absent_device, cards

LINES = "0, 24000, 20000, GPU-aaaa-1\n1, 24000, 9000, GPU-bbbb-2\n2, 81000, 80000, GPU-cccc-3\n"


@pytest.fixture
def smi(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*command: Any, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 0, LINES, "")

    monkeypatch.setattr(devices.subprocess, "run", run)


@pytest.mark.usefixtures("smi")
@pytest.mark.parametrize(
    ("visible", "found"),
    [
        (None, [(0, 20_000, "GPU-aaaa-1"), (1, 9_000, "GPU-bbbb-2"), (2, 80_000, "GPU-cccc-3")]),
        ("2", [(0, 80_000, "GPU-cccc-3")]),
        ("2,0", [(0, 80_000, "GPU-cccc-3"), (1, 20_000, "GPU-aaaa-1")]),
        ("GPU-bbbb", [(0, 9_000, "GPU-bbbb-2")]),
        ("1,7,0", [(0, 9_000, "GPU-bbbb-2")]),
        ("-1", []),
        ("", []),
    ],
)
def test_cards_are_those_that_the_environment_leaves(
    visible: str | None, found: list[tuple[int, int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [(card.index, card.free >> 20, card.uuid) for card in cards()] == found


def test_a_card_that_does_not_tell_its_memory_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    done = subprocess.CompletedProcess((), 0, "0, [N/A], [N/A], GPU-aaaa-1\n", "")
    monkeypatch.setattr(devices.subprocess, "run", lambda *command, **options: done)
    assert cards() == []


@pytest.mark.parametrize(
    ("version", "files", "device", "said"),
    [
        ("cuda: Optional[str] = None\nhip: Optional[str] = None\n", True, "cuda", "without CUDA"),
        ("cuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n", False, "cuda:1", "no CUDA device"),
        ("cuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n", True, "cuda:1", ""),
        ("cuda = None\nhip = '6.4'\n", True, "cuda", ""),
        ("nothing that is known", True, "cuda", ""),
        ("cuda = None\n", True, "cpu", ""),
        ("cuda = None\n", True, "auto", ""),
        ("cuda = None\n", True, "mps", "no Metal device"),
    ],
)
def test_a_device_that_is_surely_absent_is_told_without_pytorch(
    version: str, files: bool, device: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "version.py").write_text(version)
    monkeypatch.setattr(devices, "find_spec", lambda name: SimpleNamespace(origin=str(tmp_path / "__init__.py")))
    monkeypatch.setattr(devices.platform, "system", lambda: "Linux")
    monkeypatch.setattr(devices, "_CARD_FILES", (str(tmp_path / ("version.py" if files else "nothing")),))
    assert said in absent_device(device)
    assert bool(said) == bool(absent_device(device))
