"""The machine's load, with graphics cards that stand in for real ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lamo_tui.state import nvml, system
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
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[[SimpleNamespace], SystemStats]:
    """Return a function that reads the load of a machine with an NVIDIA driver and the library given."""

    def do(library: SimpleNamespace) -> SystemStats:
        real = Path.exists
        driver = "/proc/driver/nvidia/version"
        monkeypatch.setattr(Path, "exists", lambda path: str(path) == driver or real(path))
        monkeypatch.setattr(system, "nvml", library)
        return SystemMeter().read([])

    return do


def test_what_a_card_does_not_tell_is_none(read: Callable[[SimpleNamespace], SystemStats]) -> None:
    first, second = read(made_nvml()).gpus
    assert (first.name, first.load, first.celsius) == ("Card One", 87.0, 64.0)
    assert (first.memory_used, first.memory_total) == (3 << 30, 8 << 30)
    assert (second.name, second.load, second.memory_used, second.celsius) == ("Card Two", None, None, None)


def fails(*arguments: object) -> int:
    raise NvmlError("GPU is lost")


@pytest.mark.parametrize(
    ("library", "note"),
    [
        (made_nvml(nvmlInit=fails), "n/a (GPU is lost)"),
        (made_nvml(nvmlDeviceGetCount=fails), "n/a (GPU is lost)"),
        (made_nvml(nvmlDeviceGetHandleByIndex=fails), "n/a (GPU is lost)"),
        (made_nvml(nvmlDeviceGetCount=lambda: 0), "no GPU"),
    ],
)
def test_why_no_card_is_measured_is_said(
    read: Callable[[SimpleNamespace], SystemStats], library: SimpleNamespace | None, note: str
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


class Driver:
    """Stands in for NVIDIA's library: C functions that write through pointers and return an error code."""

    def __init__(self) -> None:
        self.nvmlErrorString = lambda code: b"Not Supported" if code.value == 3 else b"Unknown"
        self.nvmlErrorString.__dict__["restype"] = None

    def nvmlInit_v2(self) -> int:
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        count._obj.value = 1
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: Any, handle: Any) -> int:
        handle._obj.value = 7 + index.value
        return 0

    def nvmlDeviceGetName(self, card: Any, name: Any, size: Any) -> int:
        name.value = f"Card {card.value}".encode()
        return 0

    def nvmlDeviceGetUtilizationRates(self, card: Any, rates: Any) -> int:
        rates._obj.gpu = 42
        return 0

    def nvmlDeviceGetMemoryInfo(self, card: Any, memory: Any) -> int:
        memory._obj.total, memory._obj.used = 10, 4
        return 0

    def nvmlDeviceGetTemperature(self, card: Any, sensor: Any, heat: Any) -> int:
        return 3


def test_a_card_is_asked_through_the_drivers_own_library(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: path.name == "version" or real(path))
    monkeypatch.setattr("ctypes.CDLL", lambda name: Driver())
    (card,) = SystemMeter().read([]).gpus
    assert (card.name, card.load, card.memory_used, card.memory_total) == ("Card 7", 42.0, 4.0, 10.0)
    assert card.celsius is None, "it does not tell"


def test_a_driver_without_its_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: path.name == "version" or real(path))

    def missing(name: str) -> None:
        raise OSError("no such file")

    monkeypatch.setattr("ctypes.CDLL", missing)
    assert SystemMeter().read([]).gpu_note == f"n/a ({nvml._LIBRARY} does not load)"
