"""The one writer of a run directory: a listener that turns training events into its files."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from lamo_core.config import EvalConfig
from lamo_core.errors import LamoError, StorageError, UsageError
from lamo_core.evaluation.intervals import without_points
from lamo_core.evaluation.metrics import UNSEEN_LOSS
from lamo_core.files import clear_abandoned, clear_older_versions, locked
from lamo_core.runs.directory import ELSEWHERE, RunDirectory, require_no_links, storage_error
from lamo_core.runs.evaluations import Standing
from lamo_core.runs.log.narration import narrate
from lamo_core.runs.queue.entry import this_host
from lamo_core.runs.records import encode, plain
from lamo_core.runs.status import FREED, EvalPoint, Status, own_process, read_state, write_status
from lamo_core.runs.timing.rate import RateMeter
from lamo_core.training.events import Changed, EvalDone, EvalFailed, Event, Paused, Resumed, Started, StepDone, Stopped
from lamo_core.untrusted.regular_file import open_regular

_STATUS_SECONDS = 1.0
"""A status file is replaced at most this often, unless the state changes."""
_EVALUATIONS_KEPT = 32
_ENDINGS = {"finished": "finished", "stop": "stopped", "signal": "stopped"}


class RunWriter:
    """Writes metrics.jsonl, events.jsonl, log.txt and status.json of a run; use it in a `with` block.

    A run that is resumed appends; steps may then occur twice, and the later record counts. Records that cannot be
    written raise `StorageError`, so that training stops instead of going on unseen; a status that cannot be is tried
    again and harms nothing. Leaving the block without a `Stopped` event marks the run as failed (with the error) or
    stopped (at an interruption).
    """

    def __init__(
        self,
        run: RunDirectory,
        evaluation: EvalConfig | None = None,
        *,
        clock: Callable[[], float] = time.time,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` tells moments, which others read; `stopwatch` how long things take, whatever is done to the clock."""
        self.run = run
        self._clock, self._stopwatch = clock, stopwatch
        self._meter = RateMeter(evaluation)
        self._written = -float("inf")
        self._status_failed = False
        self._files: list[IO[str]] = []
        require_no_links(run)
        # of two that begin at once, one sees the other
        with locked(run.status_file.with_suffix(".lock"), ELSEWHERE):
            self._take_over(_free_status(run))

    def _take_over(self, before: Status) -> None:
        """Open the files and say that this process works on the run, which was last left in `before`."""
        for folder in (self.run.path, self.run.checkpoints, self.run.replays, self.run.control):
            clear_abandoned(folder)
            clear_older_versions(folder)
        self._awake_since = self._stopwatch()
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
            started=before.started or self._clock(),
            reason="",
            message="",
        )
        self._write_status()  # nobody may take a run for free that is not

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
        worked = {"worked": round(self._seconds(), 3)} if isinstance(event, EvalDone) else {}
        self._line(self._events, self.run.events_file, _event_record(event) | worked)
        if text := narrate(event):
            self.log(text)
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
        self._publish()
        with suppress(StorageError):
            self.log(f"{state}: {message}")

    def close(self) -> None:
        """Close the files; may be called twice."""
        if self._status_failed:  # of how it ended
            self._publish()
        for file in self._files:
            try:
                file.close()
            except OSError:
                continue

    def _note(self, event: Event) -> None:
        standing = self.status.standing
        if isinstance(event, Started):
            facts = {"total": event.total, "device": event.device, "phase": "training"}
            held = standing.continued(event.step)
            unseen = self.status.held_out_loss if held == standing else None  # of an evaluation that is void now
            self._change(step=event.step, held_out_loss=unseen, **facts, **_kept(held))
        elif isinstance(event, EvalDone) and event.scores:
            best = max(event.scores, key=lambda score: score.mean)
            point = EvalPoint(event.step, best.mean, best.normalised)
            kept = _kept(standing.evaluated(point, final=event.final))
            self._change(step=event.step, held_out_loss=event.metrics.get(UNSEEN_LOSS), **kept)
        elif isinstance(event, EvalFailed):
            self._change(message=f"the evaluation after step {event.step:,} failed: {event.message}")
        elif isinstance(event, Changed):
            self._change(**_kept(standing.changed(event.step, event.name, event.value)))
        elif isinstance(event, Paused):
            self._seconds_before, self._awake_since = self._seconds(), float("inf")
            phase = FREED if event.freed else "paused"
            self._change(state="paused", phase=phase, message=event.message, eta=None)
        elif isinstance(event, Resumed):
            self._awake_since = self._stopwatch()
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
        if self._stopwatch() - self._written >= _STATUS_SECONDS:
            self._publish()

    def _publish(self) -> None:
        """Say how the run is doing, if that can be written now."""
        try:
            self._write_status()
            self._status_failed = False
        except StorageError as error:
            said, self._status_failed = self._status_failed, True
            if not said:
                with suppress(StorageError):
                    self.log(f"ignored a status that could not be written; training goes on: {error}")

    def _write_status(self) -> None:
        self._written = self._stopwatch()
        running = self.status.state == "running"
        self.status = replace(
            self.status,
            heartbeat=self._clock(),
            rate=self._meter.rate,
            eta=self._meter.eta if running else None,
            seconds=self._seconds(),
        )
        write_status(self.run, self.status)

    def _seconds(self) -> float:
        return self._seconds_before + max(0.0, self._stopwatch() - self._awake_since)

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


def _kept(standing: Standing[EvalPoint]) -> dict[str, Any]:
    """Return what a status keeps of a run's evaluations and changed settings."""
    return {**vars(standing), "evaluations": standing.evaluations[-_EVALUATIONS_KEPT:]}


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
    if event.held_out_loss is not None:
        record["loss/held-out"] = event.held_out_loss
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
    return record | dict(event.metrics) | {"time/eval": event.seconds}


def _event_record(event: Event) -> dict[str, Any]:
    values = without_points(plain(asdict(event)))
    values["t"] = round(values.pop("time"), 3)
    return {"event": type(event).__name__, **values}


def _ends_with_newline(path: Path) -> bool:
    with open_regular(path) as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
