"""Mirrors of runs in trackers: every final step once, whatever was killed and resumed in between.

How far a mirror is stands in the run's folder. What was begun and not noted as done may or may not have arrived, so the
mirror then starts again under another name. The same holds when a run went back before what its mirror has.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from lamo_core.exchange.metric_rows import Row, RowTail, digest
from lamo_core.exchange.trackers import NAMES, Mirrored, Tracker, open_tracker
from lamo_core.files import locked, write_bytes
from lamo_core.runs.directory import ELSEWHERE, MOST_BYTES, RunDirectory
from lamo_core.runs.queue.seal import is_sealed, seal_of
from lamo_core.runs.records import decode, encode
from lamo_core.training.events import CheckpointSaved, Event, Started, Stopped
from lamo_core.untrusted.regular_file import read_regular

_CHUNK = 1000
"""Rows that are sent and noted as one."""
LINGER = 30.0
"""Seconds that training waits at its end for trackers to take the rest."""


@dataclass(frozen=True)
class MirrorState:
    """How far a mirror is."""

    copy: int = 1
    """How often it was begun."""
    sent: int = -1
    """The last step that has arrived."""
    sending: int | None = None
    """The last step of what is under way."""
    digest: str = ""
    """Of the rows that have arrived."""
    seal: str = ""
    """Proof that the run was enrolled here: one that was received sends nothing to this user's trackers by itself."""


@dataclass(frozen=True)
class MirrorReport:
    """What bringing a mirror up to date has done."""

    name: str
    """Of the run in the tracker."""
    rows: int
    """Sent now."""
    left: int
    """Not final yet: a resumed run would do them again."""
    again: bool
    """Whether the mirror was begun again under this name."""


class Mirror:
    """One run in one tracker, kept open between updates."""

    def __init__(self, run: RunDirectory, tracker: str) -> None:
        self.run, self.tracker = run, tracker
        self._open: Tracker | None = None
        self._tail: RowTail | None = None
        self._again = False

    def update(self) -> MirrorReport:
        """Send what is final and was not sent; raises `StorageError` and whatever the tracker's package raises."""
        with locked(self.run.path / f"mirror-{self.tracker}.lock", ELSEWHERE):
            state = self._caught_up()
            assert self._tail is not None
            rows = self._tail.final()
            for start in range(0, len(rows), _CHUNK):
                state = self._send(state, rows[start : start + _CHUNK])
            return MirrorReport(self._name(state), len(rows), len(self._tail.pending), self._again)

    def close(self) -> None:
        """Let go of the tracker."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _caught_up(self) -> MirrorState:
        """Read what is new; returns the state, of a new copy where the last one cannot go on."""
        state = read_mirror(self.run, self.tracker)
        if self._tail is None:
            self._tail = RowTail(self.run)
            self._tail.poll()
            sent = [row for step, row in self._tail.pending.items() if step <= state.sent]
            same = digest(sent) == state.digest
            if same and state.sending is None:
                self._tail.take(sent)
                self._tail.rewound = None
                return state
        else:
            self._tail.poll()
            if (self._tail.rewound is None or self._tail.rewound > state.sent) and state.sending is None:
                self._tail.rewound = None
                return state
        self._tail = RowTail(self.run)
        self._tail.poll()
        self._tail.rewound = None
        with suppress(Exception):  # what it held is given up
            self.close()
        self._again = True
        return MirrorState(copy=state.copy + 1)

    def _send(self, state: MirrorState, rows: list[Row]) -> MirrorState:
        if self._open is None:
            fresh = state.sent < 0
            info = self.run.read_info()
            settings = dict(_flat(info.get("config") or {}, ""))
            self._open = open_tracker(self.tracker, Mirrored(self.run, self._name(state), settings, fresh))
        write_mirror(self.run, self.tracker, replace(state, sending=rows[-1].step))
        self._open.log(rows)
        state = replace(state, sent=rows[-1].step, sending=None, digest=digest(rows, state.digest))
        write_mirror(self.run, self.tracker, state)
        assert self._tail is not None
        self._tail.take(rows)
        return state

    def _name(self, state: MirrorState) -> str:
        return self.run.id if state.copy == 1 else f"{self.run.id}-{state.copy}"


def bring_up_to_date(run: RunDirectory, tracker: str) -> MirrorReport:
    """Send to a tracker what it lacks of a run; raises as `Mirror.update`."""
    mirror = Mirror(run, tracker)
    try:
        return mirror.update()
    finally:
        mirror.close()


def enrol(run: RunDirectory, trackers: Iterable[str]) -> None:
    """Have a run mirrored whenever it trains from now on; raises `StorageError`."""
    for tracker in trackers:
        if not _is_enrolled(run, tracker):
            write_mirror(run, tracker, read_mirror(run, tracker))


def read_mirror(run: RunDirectory, tracker: str) -> MirrorState:
    """Return how far a mirror is; what is missing or damaged has sent nothing that counts."""
    try:
        found = decode(read_regular(_file(run, tracker), MOST_BYTES))
    except FileNotFoundError:
        return MirrorState()
    except OSError:
        found = None
    try:
        state = MirrorState(**(found or {}))
        sound = (
            type(state.copy) is type(state.sent) is int
            and isinstance(state.digest, str)
            and isinstance(state.seal, str)
        )
        return state if sound else MirrorState(sending=0)
    except TypeError:
        return MirrorState(sending=0)


def write_mirror(run: RunDirectory, tracker: str, state: MirrorState) -> None:
    """Note how far a mirror is; raises `StorageError`."""
    sealed = replace(state, seal=seal_of("mirror", run.id, tracker))
    write_bytes(_file(run, tracker), (encode(asdict(sealed)) + "\n").encode(), ELSEWHERE)


def _is_enrolled(run: RunDirectory, tracker: str) -> bool:
    return is_sealed(read_mirror(run, tracker).seal, "mirror", run.id, tracker)


def _file(run: RunDirectory, tracker: str) -> Any:
    return run.path / f"mirror-{tracker}.json"


def _flat(values: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


class _Worker:
    """A thread that keeps one mirror up to date; a tracker that is down or slow stops nothing but itself."""

    def __init__(self, run: RunDirectory, tracker: str, say: Callable[[str], None]) -> None:
        self._mirror, self._say = Mirror(run, tracker), say
        self._wake, self._over = threading.Event(), False
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._work, name=f"mirror-{tracker}", daemon=True)
        self._thread.start()

    def note(self, event: Event) -> None:
        if isinstance(event, Started | Stopped) or (isinstance(event, CheckpointSaved) and not event.best):
            self._wake.set()
        self._tell()

    def finish(self) -> None:
        """Ask for the rest."""
        self._over = True
        self._wake.set()

    def wait(self, seconds: float) -> None:
        """Wait for the rest, so many seconds at most."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._problem = f"it did not take everything within {LINGER:.0f} seconds"
        self._tell()

    def _work(self) -> None:
        try:
            while not self._over:
                self._wake.wait()
                self._wake.clear()
                self._mirror.update()
            self._mirror.update()
            self._mirror.close()
        except Exception as error:  # packages of others, and networks, fail in ways without end
            lines = str(error).strip().splitlines() or [type(error).__name__]
            self._problem = lines[0][:200]

    def _tell(self) -> None:
        """Say what went wrong, once, from the thread that trains."""
        if self._problem is not None:
            problem, self._problem = self._problem, None
            tracker = self._mirror.tracker
            self._say(
                f"{tracker} is not up to date ({problem}); training goes on; later: "
                f"lamo runs mirror {self._mirror.run.id} --to {tracker}"
            )


@contextmanager
def mirroring(run: RunDirectory, say: Callable[[str], None]) -> Iterator[Callable[[Event], None]]:
    """Keep the mirrors that a run is enrolled in up to date within a block; yields a listener to its events."""
    workers = [_Worker(run, tracker, say) for tracker in NAMES if _is_enrolled(run, tracker)]

    def listen(event: Event) -> None:
        for worker in workers:
            worker.note(event)

    try:
        yield listen
    finally:
        end = time.monotonic() + LINGER
        for worker in workers:
            worker.finish()
        for worker in workers:
            worker.wait(max(0.0, end - time.monotonic()))
