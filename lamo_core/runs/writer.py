"""The one writer of a run directory: a listener that turns training events into its files."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from lamo_core.config import EvalConfig
from lamo_core.errors import LamoError, StorageError, UsageError
from lamo_core.files import locked
from lamo_core.regular_file import open_regular
from lamo_core.runs.directory import ELSEWHERE, RunDirectory, require_no_links, storage_error
from lamo_core.runs.log.narration import narrate
from lamo_core.runs.rate import RateMeter
from lamo_core.runs.records import encode, plain
from lamo_core.runs.status import FREED, EvalPoint, Status, own_process, read_state, this_host, write_status
from lamo_core.training.events import EvalDone, Event, Paused, Resumed, Started, StepDone, Stopped

_STATUS_SECONDS = 1.0
"""A status file is replaced at most this often, unless the state changes."""
_EVALUATIONS_KEPT = 32
_ENDINGS = {"finished": "finished", "stop": "stopped", "signal": "stopped"}


class RunWriter:
    """Writes metrics.jsonl, events.jsonl, log.txt and status.json of a run; use it in a `with` block.

    A run that is resumed appends; steps may then occur twice, and the later record counts. What cannot be
    written raises `StorageError`, so that training stops instead of going on unseen. Leaving the block
    without a `Stopped` event marks the run as failed (with the error) or stopped (at an interruption).
    """

    def __init__(
        self,
        run: RunDirectory,
        evaluation: EvalConfig | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.run = run
        self._clock = clock
        self._meter = RateMeter(evaluation)
        self._written = -float("inf")
        self._files: list[IO[str]] = []
        require_no_links(run)
        # of two that begin at once, one sees the other
        with locked(run.status_file.with_suffix(".lock"), ELSEWHERE):
            self._take_over(_free_status(run))

    def _take_over(self, before: Status) -> None:
        """Open the files and say that this process works on the run, which was last left in `before`."""
        self._opened = self._awake_since = self._clock()
        self._metrics = self._append(self.run.metrics_file)
        self._events = self._append(self.run.events_file)
        self._log = self._append(self.run.log_file)
        pid, started = own_process()
        self._seconds_before = before.seconds
        self.status = replace(
            before,
            state="running",
            pid=pid,
            pid_started=started,
            host=this_host(),
            phase="starting",
            phase_done=0,
            phase_total=0,
            rate=None,
            eta=None,
            started=before.started or self._opened,
            reason="",
            message="",
        )
        self._publish()

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.status.state in ("running", "paused"):
            if error is None or isinstance(error, KeyboardInterrupt):
                self.end("stopped", "interrupted")
            else:
                text = str(error).strip() or type(error).__name__
                self.end("failed", text if isinstance(error, LamoError) else f"{type(error).__name__}: {text}")
        self.close()

    def write(self, event: Event) -> None:
        """Record an event; raises `StorageError`."""
        self._meter.write(event)
        if isinstance(event, StepDone):
            self._line(self._metrics, self.run.metrics_file, _step_record(event))
            language = event.language_loss
            self._update(phase="training", step=event.step, loss=event.loss, language_loss=language)
            return
        if isinstance(event, EvalDone):
            self._line(self._metrics, self.run.metrics_file, _eval_record(event))
        self._line(self._events, self.run.events_file, _event_record(event))
        self.log(narrate(event))
        self._note(event)

    def stage(self, name: str, done: int, total: int) -> None:
        """Say how far a stage is, such as data preparation; counts as a heartbeat."""
        self._update(phase=name, phase_done=done, phase_total=total)

    def heartbeat(self) -> None:
        """Say that the process is alive; call it at least every 30 seconds, as often as you like."""
        self._update()

    def log(self, text: str) -> None:
        """Add a line to log.txt; raises `StorageError`."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._clock()))
        try:
            self._log.write(f"{stamp}  {text}\n")
            self._log.flush()
        except OSError as error:
            raise storage_error(self.run.log_file, error) from error

    def end(self, state: str, message: str) -> None:
        """Put down how the run ended, as well as that is possible: a full disk does not raise here."""
        self.status = replace(self.status, state=state, reason=state, message=message, phase="", eta=None)
        for attempt in (self._publish, lambda: self.log(f"{state}: {message}")):
            try:
                attempt()
            except StorageError:
                continue

    def close(self) -> None:
        """Close the files; may be called twice."""
        for file in self._files:
            try:
                file.close()
            except OSError:
                continue

    def _note(self, event: Event) -> None:
        if isinstance(event, Started):
            self._change(step=event.step, total=event.total, device=event.device, phase="training")
        elif isinstance(event, EvalDone) and event.scores:
            best = max(event.scores, key=lambda score: score.mean)
            earlier = [point for point in self.status.evaluations if point.step < event.step]
            point = EvalPoint(event.step, best.mean, best.normalised)
            kept = tuple([*earlier, point][-_EVALUATIONS_KEPT:])
            self._change(step=event.step, evaluations=kept)
        elif isinstance(event, Paused):
            self._seconds_before, self._awake_since = self._seconds(), float("inf")
            phase = FREED if event.freed else "paused"
            self._change(state="paused", phase=phase, message=event.message, eta=None)
        elif isinstance(event, Resumed):
            self._awake_since = self._clock()
            self._change(state="running", phase="training", message="")
        elif isinstance(event, Stopped):
            state = _ENDINGS.get(event.reason, "failed")
            self._change(state=state, step=event.step, reason=event.reason, message=event.message, phase="")

    def _change(self, **changes: Any) -> None:
        """Take over changes and publish them at once."""
        self.status = replace(self.status, **changes)
        self._publish()

    def _update(self, **changes: Any) -> None:
        """Take over changes; they are published when it is time."""
        self.status = replace(self.status, **changes)
        # a clock that was put back would else silence the run until it has caught up
        if not 0 <= self._clock() - self._written < _STATUS_SECONDS:
            self._publish()

    def _publish(self) -> None:
        self._written = self._clock()
        running = self.status.state == "running"
        self.status = replace(
            self.status,
            heartbeat=self._written,
            rate=self._meter.rate,
            eta=self._meter.eta if running else None,
            seconds=self._seconds(),
        )
        write_status(self.run, self.status)

    def _seconds(self) -> float:
        return self._seconds_before + max(0.0, self._clock() - self._awake_since)

    def _append(self, path: Path) -> IO[str]:
        try:
            # a process that was killed may have left half a line; what follows must not be glued to it
            glued = path.exists() and not _ends_with_newline(path)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            file = io.TextIOWrapper(open_regular(path, flags), encoding="utf-8", newline="\n")
            self._files.append(file)
            if glued:
                file.write("\n")
                file.flush()
        except OSError as error:
            raise storage_error(path, error) from error
        return file

    def _line(self, file: IO[str], path: Path, record: dict[str, Any]) -> None:
        try:
            file.write(encode(record) + "\n")
            file.flush()
        except OSError as error:
            raise storage_error(path, error) from error


def _free_status(run: RunDirectory) -> Status:
    """Return the run's status; raises `UsageError` when another living process works on the run."""
    status, derived = read_state(run)
    if derived.active and status.state != "queued" and status.pid != os.getpid():
        raise UsageError(f"run {run.id} is {derived.state} in process {status.pid}; stop it with: lamo stop {run.id}")
    return status


def _step_record(event: StepDone) -> dict[str, Any]:
    record: dict[str, Any] = {
        "t": round(event.time, 3),
        "step": event.step,
        "k": "train",
        "loss": event.loss,
        "loss/decision": event.decision_loss,
    }
    if event.language_loss is not None:
        record["loss/language"] = event.language_loss
    record |= {f"loss/{name}": value for name, value in event.parts.items()}
    record |= {"grad_norm": event.grad_norm, "lr": event.learning_rate, "samples": event.samples}
    return record | {f"time/{phase}": round(seconds, 6) for phase, seconds in event.seconds.items()}


def _eval_record(event: EvalDone) -> dict[str, Any]:
    """Return the best target's score, and with several targets the mean return of each."""
    record: dict[str, Any] = {"t": round(event.time, 3), "step": event.step, "k": "eval"}
    if event.scores:
        best = max(event.scores, key=lambda score: score.mean)
        record |= {
            "return": best.mean,
            "return/low": best.low,
            "return/high": best.high,
            "normalised": best.normalised,
            "length": best.length_mean,
        }
    if len(event.scores) > 1:
        record |= {f"return@{score.target:g}": score.mean for score in event.scores}
    if event.unseen_loss is not None:
        record["loss/unseen"] = event.unseen_loss
    return record | {"time/eval": event.seconds}


def _event_record(event: Event) -> dict[str, Any]:
    values = plain(asdict(event))
    values["t"] = round(values.pop("time"), 3)
    return {"event": type(event).__name__, **values}


def _ends_with_newline(path: Path) -> bool:
    with open_regular(path) as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
