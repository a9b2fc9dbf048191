"""The machine's load, with graphics cards that stand in for real ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lamo_tui.state.system import SystemMeter, SystemStats


class NvmlError(Exception):
    """What the library raises."""


def made_nvml(**changes: Any) -> SimpleNamespace:
    """Return a library with two cards, of which the second tells nothing but its name."""

    def tell(value: object) -> Callable[..., object]:
        def answer(card: int, *arguments: int) -> object:
            if card:
                raise NvmlError("not supported")
            return value

        return answer

    functions: dict[str, Any] = {
        "NVMLError": NvmlError,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda card: [b"Card One", "Card Two"][card],
        "nvmlDeviceGetUtilizationRates": tell(SimpleNamespace(gpu=87, memory=12)),
        "nvmlDeviceGetMemoryInfo": tell(SimpleNamespace(used=3 << 30, total=8 << 30)),
        "nvmlDeviceGetTemperature": tell(64),
    }
    return SimpleNamespace(**(functions | changes))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[[SimpleNamespace | None], SystemStats]:
    """Return a function that reads the load of a machine with an NVIDIA driver and the library given."""

    def do(library: SimpleNamespace | None) -> SystemStats:
        real = Path.exists
        driver = "/proc/driver/nvidia/version"
        monkeypatch.setattr(Path, "exists", lambda path: str(path) == driver or real(path))
        monkeypatch.setitem(sys.modules, "pynvml", library)
        return SystemMeter().read([])

    return do


def test_what_a_card_does_not_tell_is_none(read: Callable[[SimpleNamespace | None], SystemStats]) -> None:
    first, second = read(made_nvml()).gpus
    assert (first.name, first.load, first.celsius) == ("Card One", 87.0, 64.0)
    assert (first.memory_used, first.memory_total) == (3 << 30, 8 << 30)
    assert (second.name, second.load, second.memory_used, second.celsius) == ("Card Two", None, None, None)


def fails(*arguments: object) -> int:
    raise NvmlError("GPU is lost")


@pytest.mark.parametrize(
    ("library", "note"),
    [
        (None, "n/a without the package nvidia-ml-py"),
        (made_nvml(nvmlInit=fails), "n/a (GPU is lost)"),
        (made_nvml(nvmlDeviceGetCount=fails), "n/a (GPU is lost)"),
        (made_nvml(nvmlDeviceGetHandleByIndex=fails), "n/a (GPU is lost)"),
        (made_nvml(nvmlDeviceGetCount=lambda: 0), "no GPU"),
    ],
)
def test_why_no_card_is_measured_is_said(
    read: Callable[[SimpleNamespace | None], SystemStats], library: SimpleNamespace | None, note: str
) -> None:
    stats = read(library)
    assert (stats.gpus, stats.gpu_note) == ((), note)
    assert stats.memory_used is not None


def test_a_load_is_measured_or_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("lamo_tui.state.system.time.monotonic", lambda: now)
    meter = SystemMeter()
    at_once = meter.read([os.getpid()])
    assert (at_once.cpu, at_once.cpu_history) == (None, ())
    assert at_once.processes[os.getpid()].cpu > 0.0, "what it used in its life"
    now += 1.0
    assert meter.read([]).cpu is not None
