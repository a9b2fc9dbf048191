"""Load of this machine: processor, memory, graphics cards. What cannot be measured is None, never a guess."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lamo_tui.state import nvml

if TYPE_CHECKING:
    import psutil

_HISTORY = 120
_SHORTEST = 0.1
"""Seconds over which a processor's load can be told; its clock ticks a hundred times a second."""


@dataclass(frozen=True)
class GpuStats:
    """One graphics card."""

    name: str
    load: float | None
    """Percent."""
    memory_used: float | None
    """Bytes."""
    memory_total: float | None
    celsius: float | None


@dataclass(frozen=True)
class ProcessStats:
    """One training process."""

    cpu: float
    """Percent of one core."""
    memory: float
    """Bytes in main memory."""


@dataclass(frozen=True)
class SystemStats:
    """This machine at one moment."""

    cpu: float | None = None
    """Percent of all cores."""
    cores: int = 0
    memory_used: float | None = None
    memory_total: float | None = None
    gpus: tuple[GpuStats, ...] = ()
    gpu_note: str = "n/a"
    """Why there is no card in `gpus`."""
    processes: Mapping[int, ProcessStats] = field(default_factory=dict)
    cpu_history: tuple[float, ...] = ()
    memory_history: tuple[float, ...] = ()
    """Percent, one value per reading, newest last."""


NO_SYSTEM = SystemStats()


class SystemMeter:
    """Reads this machine's load: that of its processors since the reading before, at first since it was made."""

    def __init__(self) -> None:
        import psutil

        psutil.cpu_percent(None)
        self._made_at = time.monotonic()
        self._processes: dict[int, psutil.Process] = {}
        self._cpu: list[float] = []
        self._memory: list[float] = []
        self._cards = False
        self._gpu_note: str | None = None
        """Why no card is measured; None before the first reading."""

    def read(self, pids: Iterable[int]) -> SystemStats:
        """Return the load now; `pids` are the processes to look at."""
        import psutil

        if self._gpu_note is None:
            self._gpu_note = self._open_gpus()
        try:
            cpu: float | None = None
            if time.monotonic() - self._made_at >= _SHORTEST:
                cpu = float(psutil.cpu_percent(None))
            memory = psutil.virtual_memory()
        except (psutil.Error, OSError):
            return SystemStats(gpu_note=self._gpu_note)
        self._cpu = [*self._cpu, *([] if cpu is None else [cpu])][-_HISTORY:]
        self._memory = [*self._memory, float(memory.percent)][-_HISTORY:]
        gpus = self._gpus()
        return SystemStats(
            cpu=cpu,
            cores=psutil.cpu_count() or 1,
            memory_used=float(memory.total - memory.available),
            memory_total=float(memory.total),
            gpus=gpus,
            gpu_note="" if gpus else self._gpu_note,
            processes=self._read_processes(set(pids)),
            cpu_history=tuple(self._cpu),
            memory_history=tuple(self._memory),
        )

    def _read_processes(self, pids: set[int]) -> dict[int, ProcessStats]:
        import psutil

        found: dict[int, ProcessStats] = {}
        self._processes = {pid: process for pid, process in self._processes.items() if pid in pids}
        for pid in pids:
            try:
                known = pid in self._processes
                process = self._processes.setdefault(pid, psutil.Process(pid))
                cpu = float(process.cpu_percent(None))  # since the reading before: the first one is 0
                cpu = cpu if known else _load_so_far(process)
                found[pid] = ProcessStats(cpu, float(process.memory_info().rss))
            except (psutil.Error, OSError):  # it ended, or belongs to somebody else
                self._processes.pop(pid, None)
        return found

    def _open_gpus(self) -> str:
        if not Path("/proc/driver/nvidia/version").exists():
            return "no GPU"
        try:
            nvml.nvmlInit()
        except nvml.NVMLError as error:
            return f"n/a ({error})"
        self._cards = True
        return "no GPU"

    def _gpus(self) -> tuple[GpuStats, ...]:
        if not self._cards:
            return ()
        try:
            return tuple(_read_gpu(index) for index in range(nvml.nvmlDeviceGetCount()))
        except nvml.NVMLError as error:
            self._gpu_note = f"n/a ({error})"
            return ()


def _read_gpu(index: int) -> GpuStats:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)

    def ask(function: str, *arguments: int) -> object | None:
        try:
            return getattr(nvml, function)(handle, *arguments)  # type: ignore[no-any-return]
        except nvml.NVMLError:  # this card does not tell
            return None

    name = ask("nvmlDeviceGetName")
    rates, memory, heat = (
        ask("nvmlDeviceGetUtilizationRates"),
        ask("nvmlDeviceGetMemoryInfo"),
        ask("nvmlDeviceGetTemperature", 0),
    )
    return GpuStats(
        name.decode() if isinstance(name, bytes) else str(name or "GPU"),
        None if rates is None else float(rates.gpu),  # type: ignore[attr-defined]
        None if memory is None else float(memory.used),  # type: ignore[attr-defined]
        None if memory is None else float(memory.total),  # type: ignore[attr-defined]
        None if heat is None else float(str(heat)),
    )


def _load_so_far(process: psutil.Process) -> float:
    """Return the load of a process over its life, in percent of one core."""
    used = process.cpu_times()
    return float(100 * (used.user + used.system) / max(_SHORTEST, time.time() - process.create_time()))
