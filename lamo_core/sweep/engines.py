"""Where the runs of a sweep work: the interface, and processes of this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import psutil

from lamo_core.errors import UsageError
from lamo_core.runs.create import usable_cpus
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.queue.detach import launch
from lamo_core.runs.queue.devices import cards, device_of
from lamo_core.runs.queue.entry import read_launch
from lamo_core.runs.records import number
from lamo_core.runs.status import is_alive

_RUN_MEMORY = 1_500_000_000
"""Main memory of one training process: PyTorch, a small model and a small data set."""
_MOST_PER_CARD = 8
_FREE_SHARE = 0.9


class Engine(Protocol):
    """Starts training processes; the scheduler looks at their run folders for everything else."""

    jobs: int
    """Runs that may work at once."""
    waits: bool
    """Whether a started run may stand in a queue of the engine's own before it begins."""

    def fits(self, memory: int) -> bool:
        """Return whether a run that needs so many bytes on its device can be started now."""

    def start(self, run: RunDirectory, arguments: Sequence[str]) -> str:
        """Start `lamo train` with these arguments for a run and return what the engine calls the process."""

    def alive(self, run: RunDirectory, job: str) -> bool:
        """Return whether the process that was started for a run lives or will start."""

    def close(self) -> None:
        """Let go of what the engine holds; processes go on."""


@dataclass(frozen=True)
class Slot:
    """A place for one process."""

    threads: int
    card: int | None = None
    """The NVIDIA card that it works on, as PyTorch counts here; None for the processor."""
    sees: str = ""
    """UUID of the only card that it is shown; empty where its settings name the card."""

    @property
    def environment(self) -> dict[str, str]:
        """What the process is told about its place."""
        threads = {name: str(self.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        return {**threads, "CUDA_VISIBLE_DEVICES": self.sees} if self.sees else threads


def local_slots(device: str, memory: int, runs: int, jobs: int | None = None) -> list[Slot]:
    """Return places for runs on this machine: as many as memory holds, with the processor's cores divided.

    `memory` is the most that a run needs on its device, in bytes; `jobs` sets the number of places instead.
    """
    cores = usable_cpus()
    if device_of(device).startswith("cuda"):
        named = device not in ("auto", "cuda")
        found = [card for card in cards() if not named or f"cuda:{card.index}" == device]
        if not found:
            raise UsageError(f"no NVIDIA card answers for --device {device}; use --device cpu")
        each = {card.index: max(1, min(_MOST_PER_CARD, int(_FREE_SHARE * card.free / memory))) for card in found}
        count = min(jobs or min(sum(each.values()), cores), runs)
        order = sorted((place, card) for card, places in each.items() for place in range(places))
        several = [card for _, card in order]
        sees = {card.index: "" if named else card.uuid for card in found}
        taken = [several[index % len(several)] for index in range(count)]
        return [Slot(max(1, cores // max(1, count)), card, sees[card]) for card in taken]
    room = max(1, int(psutil.virtual_memory().available / _RUN_MEMORY))
    count = max(1, min(jobs or min(cores, room), runs))
    return [Slot(max(1, cores // count)) for _ in range(count)]


class LocalEngine:
    """Processes of this machine, each in its own session: they outlive the sweep's own process."""

    waits = False

    def __init__(self, slots: Sequence[Slot], train: Sequence[str], taken: Sequence[RunDirectory] = ()) -> None:
        """`train` is the command, `taken` the runs that still work from an earlier process of the sweep."""
        self.jobs = len(slots)
        self._slots = list(slots)
        self._train = list(train)
        self._places: dict[int, RunDirectory] = dict(enumerate(taken[: len(slots)]))

    def fits(self, memory: int) -> bool:
        """Return whether the next free place is on the processor, or on a card with so much memory left."""
        place = self._free()
        slot = None if place is None else self._slots[place]
        if slot is None or slot.card is None:
            return slot is not None
        alone = not any(self._slots[index].card == slot.card and self.alive(run, "") for index, run in self._taken())
        free = {card.index: card.free for card in cards()}.get(slot.card)
        return alone or free is None or free * _FREE_SHARE >= memory

    def start(self, run: RunDirectory, arguments: Sequence[str]) -> str:
        """Start a process in the next free place."""
        place = self._free()
        if place is None:
            raise UsageError("every place is taken; wait for a run to end")
        self._places[place] = run
        return str(launch(run, [*self._train, *arguments], self._slots[place].environment))

    def alive(self, run: RunDirectory, job: str) -> bool:
        """Return whether the process that was started last for a run lives."""
        note: Mapping[str, object] = read_launch(run) or {}
        pid = note.get("pid")
        return isinstance(pid, int) and is_alive(pid, number(note.get("pid_started")))

    def close(self) -> None:
        """Nothing is held."""

    def _taken(self) -> list[tuple[int, RunDirectory]]:
        return [(place, run) for place, run in self._places.items() if self.alive(run, "")]

    def _free(self) -> int | None:
        taken = {place for place, _ in self._taken()}
        return next((place for place in range(self.jobs) if place not in taken), None)


def working_folder() -> str:
    """Return the folder that processes of other machines start in; they need the same one."""
    return os.getcwd()
