"""Training of a run from the first record in its folder to the last: for the command line, sweeps and Python alike.

Nothing here loads PyTorch before training begins.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lamo_core.engine.run_start import Start
from lamo_core.exchange.mirror import mirroring
from lamo_core.out_of_memory import TRAINING, advised, name_of
from lamo_core.runs.control import ControlInbox, Interrupts, RunControls
from lamo_core.runs.writer import RunWriter
from lamo_core.training.events import Changed, EvalDone, Event, Stopped

if TYPE_CHECKING:
    from lamo_core.evaluation.scores import TargetScore
    from lamo_core.training.session import Session

Listener = Callable[[Event], None]
Signals = Callable[[Interrupts, Callable[[str], None], Callable[[], None]], AbstractContextManager[object]]
"""Lets signals write into `Interrupts` within a block; it is given what announces one, and what leaves at once."""


@dataclass(frozen=True)
class Outcome:
    """How training ended."""

    code: int
    """The exit code: 0 at its end, 75 where it was asked to stop."""
    scores: tuple[TargetScore, ...]
    """Of the last evaluation."""
    message: str
    """Why it ended early."""


class Display(Protocol):
    """Shows a run to whoever started it."""

    def say(self, text: str) -> None:
        """Show a sentence."""

    def write(self, event: Event) -> None:
        """Show an event."""

    def stage(self, name: str, done: int, total: int) -> None:
        """Show how far a stage is, such as data preparation; `total` 0 means unknown."""

    def close(self) -> None:
        """Put the terminal in order; may be called twice."""


def train_run(start: Start, display: Display, signals: Signals, listeners: Sequence[Listener] = ()) -> Outcome:
    """Train to the end, or until asked to stop, and write down everything in the run's folder.

    Listeners get every event after it was written. Raises the `LamoError` that ended it; a stop before the first step
    is a `KeyboardInterrupt`, as there is nothing to save.
    """
    kept = _Newest()
    begun: list[Session] = []
    interrupts = Interrupts()
    with RunWriter(start.run, start.config.eval) as writer:
        display.say(f"run {start.run.id}")

        def announce(signal_name: str) -> None:
            way = "saving a checkpoint after this step" if begun else "stopping before the first step"
            display.say(f"{signal_name}: {way}; once more leaves at once")

        def stage(name: str, done: int, total: int) -> None:
            writer.stage(name, done, total)
            display.stage(name, done, total)

        def prepare(name: str, done: int, total: int) -> None:
            stage(name, done, total)
            if controls.stop_asked():  # nothing is trained yet, so there is nothing to save
                raise KeyboardInterrupt

        def tell(event: Event) -> None:
            writer.write(event)
            display.write(event)
            kept.note(event)
            for listener in (mirror, *listeners):
                listener(event)

        def leave() -> None:
            display.close()
            writer.end("stopped", "left at once, by a second signal")

        inbox = ControlInbox(start.run.control)
        if start.resumed:  # what is left there was meant for an earlier process
            inbox.discard()
        controls = RunControls(inbox, interrupts, tell, heartbeat=writer.heartbeat)
        with mirroring(start.run, _mention(writer, display)) as mirror, signals(interrupts, announce, leave):
            prepare("loading PyTorch", 0, 0)
            from lamo_core.engine.engine import run_session

            session = _session(start, prepare)
            begun.append(session)
            for name, value in start.changed.items():
                tell(Changed(session.step, time.time(), name=name, value=value))
            code = run_session(session, start.run.checkpoints, [tell], controls, stage, start.run.replays)
    return Outcome(code, kept.scores, kept.message)


def _mention(writer: RunWriter, display: Display) -> Callable[[str], None]:
    """Return what both writes down and shows a sentence."""

    def mention(text: str) -> None:
        writer.log(text)
        display.say(text)

    return mention


class _Newest:
    """What is told of a run when it has ended."""

    scores: tuple[TargetScore, ...] = ()
    message = ""

    def note(self, event: Event) -> None:
        if isinstance(event, EvalDone):
            self.scores = event.scores
        elif isinstance(event, Stopped):
            self.message = event.message


def _session(start: Start, prepare: Callable[[str, int, int], None]) -> Session:
    # imported here, after the first line is on the screen: these take seconds
    from lamo_core.training.session import new_session, resume_session

    with advised(name_of(start.config.device), TRAINING):
        if start.checkpoint is not None:
            return resume_session(start.checkpoint, start.config, prepare)
        return new_session(start.config, prepare)
