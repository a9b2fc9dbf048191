"""Run a training session with its run directory: listeners, commands from outside, and how it ends."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Protocol

from lamo_core.errors import STOPPED_RESUMABLE, DeviceError, EnvironmentFault, LamoError, StorageError
from lamo_core.evaluation.contexts import played_mode
from lamo_core.evaluation.evaluate import evaluate
from lamo_core.evaluation.median_replays import keep_medians
from lamo_core.evaluation.rollout_spec import Asked, EpisodeResult
from lamo_core.evaluation.scores import TargetScore
from lamo_core.files import numbered_checkpoints, write_atomically
from lamo_core.out_of_memory import TRAINING, advised, name_of
from lamo_core.training.checkpoint import keep_for_acting
from lamo_core.training.events import CheckpointSaved, Event, Paused, Resumed, Stopped
from lamo_core.training.loop import EvaluationStopped, Requests, training_loop
from lamo_core.training.offload import DeviceOffload, memory_of
from lamo_core.training.session import Session

Listener = Callable[[Event], None]

_WAIT_SECONDS = 0.2


class Controls(Protocol):
    """Where commands come from: the control folder, signals, or a test."""

    paused: bool
    free: bool
    """Whether a pause is to give the device back; taken away when that was tried."""

    def poll(self, requests: Requests, session: Session) -> None:
        """Put new commands into `requests`, change settings of `session`, set `paused` and `free`."""


def run_session(
    session: Session,
    checkpoints: Path,
    listeners: Sequence[Listener],
    controls: Controls,
    stage: Callable[[str, int, int], None],
    replays: Path | None = None,
) -> int:
    """Train to the end, or until asked to stop; returns the exit code.

    Every event goes to every listener before the next step starts. After an error the steps that were done, and
    recorded by the listeners, are saved; it is reported as a `Stopped` event and raised again. `stage` shows the
    progress of evaluations. The median episode of each target of an evaluation is kept in the folder `replays`.
    """
    requests, record = Requests(), _Record(listeners)

    def roll_out(session: Session, episodes: int) -> list[TargetScore]:
        def progress(done: int, total: int, steps: int) -> None:
            controls.poll(requests, session)
            stage("evaluating", done, total)
            if requests.stop:
                raise EvaluationStopped("the evaluation was left")

        asked = Asked.by(session.config, session.targets, episodes, record=replays is not None)
        result = evaluate(session.policy, session.config.task, asked, progress=progress)
        _keep_replays(replays, result.episodes, session)
        return list(result.scores)

    def save(session: Session, best: bool) -> str:
        return save_checkpoint(session, checkpoints, best)

    last: Event | None = None
    try:
        with advised(name_of(session.device.type), f"{TRAINING}; what was trained is kept"):
            for event in training_loop(session, requests, roll_out, save):
                last = event
                record(event)
                controls.poll(requests, session)
                if controls.paused and not requests.stop:
                    _wait(session, requests, controls, record)
    except BaseException as error:
        if record.whole:  # what is not recorded is done again from the last checkpoint
            _rescue(session, save, record)
        if isinstance(error, Exception):
            _report(error, session, record)
        raise
    return _exit_code(last)


class _Record:
    """Tells events to all listeners."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners
        self.whole = True
        """Whether every listener has taken the last event."""

    def __call__(self, event: Event) -> None:
        self.whole = False
        for listener in self._listeners:
            listener(event)
        self.whole = True


def _rescue(session: Session, save: Callable[[Session, bool], str], tell: Listener) -> None:
    """Save what was trained before an error, as far as that is possible; the error itself is told by others."""
    if session.whole and session.saved_step != session.step:
        with suppress(LamoError, OSError, RuntimeError, MemoryError):
            path = save(session, False)
            session.saved_step = session.step
            tell(CheckpointSaved(session.step, time.time(), path=path, best=False))


def _keep_replays(folder: Path | None, episodes: Sequence[EpisodeResult], session: Session) -> None:
    if folder is not None:
        config = session.config
        played = replace(config.eval, context=played_mode(config.eval.context, session.policy))
        keep_medians(folder, episodes, replace(config, eval=played), session.step)


def save_checkpoint(session: Session, folder: Path, best: bool) -> str:
    """Write `best.pt` (for acting only), or a numbered checkpoint and `last.pt`.

    The oldest numbered ones are dropped. Of those that stay only the newest holds what resuming needs, which is two
    thirds of its size.
    """
    if best:
        path = folder / "best.pt"
        session.save(path, training=False)
        return str(path)
    path = folder / f"{session.step:06d}.pt"
    session.save(path)
    _point_last_at(path)
    for old in numbered_checkpoints(folder)[: -session.config.checkpoint.keep]:
        old.unlink(missing_ok=True)
    for old in numbered_checkpoints(folder)[-2:-1]:
        with suppress(LamoError):  # it may stay as large as it is
            keep_for_acting(old)
    return str(path)


def _point_last_at(path: Path) -> None:
    """Make `last.pt` a second name of the same file, replaced in one move."""
    link = path.with_name("last.pt.part")
    try:
        link.unlink(missing_ok=True)
        link.hardlink_to(path)
        link.replace(path.with_name("last.pt"))
    except OSError:
        # file systems without hard links keep a copy
        write_atomically(path.with_name("last.pt"), lambda file: _copy(path, file), "LAMO_RUNS=FOLDER")


def _copy(path: Path, file: IO[bytes]) -> None:
    with path.open("rb") as source:
        shutil.copyfileobj(source, file)


def _wait(session: Session, requests: Requests, controls: Controls, tell: Listener) -> None:
    """Wait until the run goes on, or stops: then the checkpoint is saved from wherever the session is."""
    memory = memory_of(session.device)
    offload = None if memory is None else DeviceOffload(session, memory)
    if not controls.free:
        tell(Paused(session.step, time.time()))
    while not requests.stop:
        if controls.free:
            controls.free = False
            tell(_leave(session, offload))
        if not controls.paused:
            failed = _come_back(session, offload)
            if failed is None:
                break
            controls.paused = True
            tell(failed)
        time.sleep(_WAIT_SECONDS)
        controls.poll(requests, session)
    tell(Resumed(session.step, time.time()))


def _leave(session: Session, offload: DeviceOffload | None) -> Paused:
    """Give the device back, if it has memory to give; returns what to say."""
    if offload is None:
        message = f"there is nothing to free: {session.device} computes in the machine's own memory"
        return Paused(session.step, time.time(), message=message)
    try:
        return Paused(session.step, time.time(), freed=offload.release())
    except DeviceError as error:
        return Paused(session.step, time.time(), message=str(error))


def _come_back(session: Session, offload: DeviceOffload | None) -> Paused | None:
    """Take the device again; returns what to say where that is not possible now."""
    if offload is not None:
        try:
            offload.restore()
        except DeviceError as error:
            return Paused(session.step, time.time(), freed=offload.freed, message=str(error))
    return None


def _report(error: BaseException, session: Session, tell: Listener) -> None:
    """Say in the run directory why it failed, unless the directory itself cannot be written."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    try:
        tell(Stopped(session.step, time.time(), reason="error", message=lines[0]))
    except StorageError:
        return


def _exit_code(last: Event | None) -> int:
    if not isinstance(last, Stopped):
        return 1
    codes = {"finished": 0, "stop": STOPPED_RESUMABLE, "signal": STOPPED_RESUMABLE}
    return codes.get(last.reason, EnvironmentFault.exit_code if last.reason == "evaluation failed" else 1)
