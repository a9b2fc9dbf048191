"""Training from Python: runs that every other part of lamo sees."""

from __future__ import annotations

import math
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lamo_core.api.presets import Settings, assignments, run_spec
from lamo_core.config import RunConfig
from lamo_core.engine.run_start import Start, new_run, resumed_run
from lamo_core.engine.run_training import Listener, train_run
from lamo_core.errors import STOPPED_RESUMABLE, LamoError, UsageError
from lamo_core.evaluation.scores import TargetScore
from lamo_core.runs.control import Interrupts
from lamo_core.runs.directory import RunDirectory, find_run
from lamo_core.runs.manage import find_checkpoint
from lamo_core.runs.metrics.series import Series, read_metrics
from lamo_core.runs.reader import read_events
from lamo_core.runs.records import number
from lamo_core.runs.status import State, read_state
from lamo_core.training.events import Event

if TYPE_CHECKING:
    from types import FrameType


@dataclass(frozen=True)
class Run:
    """A run's folder: what it was made from, how it is doing, what it measured, and its checkpoints.

    Everything is read from the files when it is asked for, so a run of another process may be looked at while it works.
    """

    path: Path

    @property
    def id(self) -> str:
        """The folder's name, by which `lamo runs` and all other commands know the run."""
        return self._folder.id

    @property
    def state(self) -> State:
        """How it is doing: "finished", "stopped", "failed", "running", "lost" and others."""
        return read_state(self._folder)[1].state

    @property
    def config(self) -> RunConfig:
        """All settings that it began with; raises `UsageError` when run.json is damaged."""
        return self._folder.read_config()

    @property
    def scores(self) -> tuple[TargetScore, ...]:
        """One score for each return target of the newest evaluation; empty before the first.

        Each has `.target`, `.mean` with its 95 % interval `.low` and `.high`, `.normalised`, and `.returns` and
        `.lengths` of every episode, raw rewards summed.
        """
        found = [event for event in read_events(self._folder.events_file) if event.get("event") == "EvalDone"]
        return tuple(map(_score, found[-1].get("scores", ()))) if found else ()

    def metrics(self) -> dict[str, Series]:
        """Return everything that was measured by name, such as "loss", "lr" and "return".

        A series has `.step` (int64), `.time` (seconds since 1970) and `.value` (float64), arrays of one length.
        """
        return read_metrics(self._folder.metrics_file)

    @property
    def checkpoint(self) -> Path:
        """The newest state, from which `resume` goes on; raises `UsageError` before the first."""
        return find_checkpoint(self.path)

    @property
    def best_checkpoint(self) -> Path:
        """The policy of the best evaluation so far; raises `UsageError` before the first."""
        path = self._folder.best_checkpoint
        if not path.is_file():
            raise UsageError(f"run {self.id} has no best checkpoint; it is saved after an evaluation")
        return path

    @property
    def _folder(self) -> RunDirectory:
        return RunDirectory(self.path)


def train(
    preset: str | None = None,
    *,
    method: str | None = None,
    ablations: Iterable[str] = (),
    file: str | PathLike[str] | None = None,
    settings: Settings = (),
    seed: int | None = None,
    ratio: float | str | None = None,
    device: str | None = None,
    precision: str | None = None,
    listeners: Sequence[Callable[[Event], None]] = (),
    root: str | PathLike[str] | None = None,
) -> Run:
    """Train a policy and return its run, which `lamo runs`, `lamo tui` and `lamo report` see as any other.

    It takes as long as `lamo train` does. In the main thread the first Ctrl-C saves a checkpoint, ends the run and
    raises `KeyboardInterrupt`; the second raises it at once. `lamo stop` ends it too; the run is then "stopped".

    Args:
        preset, method, ablations, file, settings, seed, ratio, device, precision: As for `resolve`. Without a preset or
            a file, settings name the data: `{"data.set": "mine"}`.
        listeners: Called with every event: `StepDone`, `EvalDone`, `CheckpointSaved` and others, each with `.step` and
            `.time`. What a listener raises ends the run.
        root: Folder of runs; LAMO_RUNS or `runs` if none is given.

    Raises:
        UsageError: A name, key or value that there is not.
        MissingError: Data, a model or a package that is not here; the message says how to get it.
        DeviceError: A device that is absent or out of memory.
        LamoError: Any other failure, such as a loss that is not finite.
    """
    spec = run_spec(preset, method, ablations, file, settings, seed, ratio, device, precision)
    return _train(new_run(spec, spec.to_argv(), None if root is None else Path(root)), listeners)


def resume(
    run: Run | str | PathLike[str],
    *,
    settings: Settings = (),
    listeners: Sequence[Callable[[Event], None]] = (),
    root: str | PathLike[str] | None = None,
) -> Run:
    """Let a run go on exactly from its newest checkpoint, and return it.

    Args:
        run: A `Run`, an id or the beginning of one, "last", or a checkpoint.
        settings: What may change: `optim.steps`, `eval.*`, `checkpoint.*`, `device`, `precision`.
        listeners: As for `train`.
        root: Folder of runs; LAMO_RUNS or `runs` if none is given.

    Raises:
        UsageError: No such run, one that is at work, or one that has done all its steps.
        CheckpointError: A checkpoint that is damaged or of another version.
    """
    text = str(run.path if isinstance(run, Run) else run)
    start = resumed_run(text, assignments(settings), {}, None if root is None else Path(root))
    return _train(start, listeners)


def open_run(run: str | PathLike[str], root: str | PathLike[str] | None = None) -> Run:
    """Return a run that there is.

    Args:
        run: Its id, the beginning of it or a part of no other one, its folder, or "last".
        root: Folder of runs; LAMO_RUNS or `runs` if none is given.

    Raises:
        UsageError: No such run; the message suggests the nearest.
    """
    return Run(find_run(Path(run) if not isinstance(run, str) else run, None if root is None else Path(root)).path)


class _Silence:
    """Shows nothing: listeners show what they like."""

    def say(self, text: str) -> None:
        pass

    def write(self, event: Event) -> None:
        pass

    def stage(self, name: str, done: int, total: int) -> None:
        pass

    def close(self) -> None:
        pass


def _train(start: Start, listeners: Sequence[Listener]) -> Run:
    asked: list[Interrupts] = []

    def signals(interrupts: Interrupts, *_: object) -> AbstractContextManager[object]:
        asked.append(interrupts)
        main = threading.current_thread() is threading.main_thread()
        return _catch_interrupt(interrupts) if main else nullcontext()

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)  # of libraries, such as names that they will drop
        outcome = train_run(start, _Silence(), signals, listeners)
    if asked[0].stop == _INTERRUPT:
        raise KeyboardInterrupt
    if outcome.code not in (0, STOPPED_RESUMABLE):
        raise LamoError(outcome.message or f"run {start.run.id} failed")
    return Run(start.run.path)


_INTERRUPT = signal.SIGINT.name


@contextmanager
def _catch_interrupt(interrupts: Interrupts) -> Iterator[None]:
    """Let the first Ctrl-C ask for a stop, and the second raise `KeyboardInterrupt`."""

    def stop(number: int, frame: FrameType | None) -> None:
        if interrupts.stop is not None:
            raise KeyboardInterrupt
        interrupts.stop = _INTERRUPT

    former = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former if former is not None else signal.SIG_DFL)


def _score(values: Mapping[str, Any]) -> TargetScore:
    """Return a score from a record; raises `UsageError` where the record is damaged."""
    try:
        plain = {field.name: values[field.name] for field in fields(TargetScore)}
        for name in ("target", "mean", "low", "high", "normalised", "length_mean", "steps_per_second"):
            unknown = plain[name] is None and name in ("low", "high")  # one episode has no interval
            plain[name] = math.nan if unknown else _number(plain[name])
        returns, lengths = map(_number, plain.pop("returns")), map(int, plain.pop("lengths"))
        return TargetScore(**plain, returns=tuple(returns), lengths=tuple(lengths))
    except (LookupError, TypeError, ValueError) as error:
        raise UsageError("the records of this run are damaged; `lamo runs show` tells what is left of them") from error


def _number(value: Any) -> float:
    found = number(value)
    if found is None:
        raise ValueError(f"{value!r} is not a number")
    return found
