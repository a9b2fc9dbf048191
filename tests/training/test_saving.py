"""What is saved when: before evaluations, before the first step, after errors; and that it goes on exactly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lamo_core.engine import engine
from lamo_core.engine.engine import save_checkpoint
from lamo_core.errors import CheckpointError, DeviceError, EnvironmentFault, StorageError
from lamo_core.evaluation.scores import TargetScore
from lamo_core.files import numbered_checkpoints
from lamo_core.training.checkpoint import read_checkpoint, trained_weights
from lamo_core.training.events import CheckpointSaved, EvalDone, EvalFailed, Event, Note, Started, StepDone, Stopped
from lamo_core.training.loop import Requests, training_loop
from lamo_core.training.session import Session, new_session, resume_session
from tests.training.conftest import MakeConfig

EVALUATED = {"eval": {"every": 2, "episodes": 1, "final_episodes": 1}, "checkpoint": {"every": 2, "keep": 9}}


class Killed(BaseException):
    """Ends a loop as a kill does: nobody hears of it."""


def score(session: Session, episodes: int = 1) -> list[TargetScore]:
    """Return a score that follows from the weights, and is the best after two steps."""
    mean = float(sum(value.double().sum() for value in trained_weights(session.policy).values()))
    mean = 1e9 if session.step == 2 else mean
    return [TargetScore(1, episodes, (mean,), (1,), mean, 0, 1, 0, 1, 1, "chunked", "sample")]


def run(session: Session, folder: Path, evaluate: Callable[[Session, int], list[TargetScore]] = score) -> list[Event]:
    """Return the events of a loop that comes to its end, or is killed by `evaluate`."""
    events: list[Event] = []
    try:
        for event in training_loop(session, Requests(), evaluate, lambda s, best: save_checkpoint(s, folder, best)):
            events.append(event)
    except Killed:
        pass
    return events


def told(events: list[Event]) -> dict[tuple[str, int], Any]:
    """Return what steps and evaluations found, as readers see it: a step that is told twice counts as it was last."""
    found: dict[tuple[str, int], Any] = {}
    for event in events:
        if isinstance(event, StepDone):
            found["step", event.step] = (event.loss, event.language_loss, event.grad_norm)
        elif isinstance(event, EvalDone):
            found["evaluation", event.step] = (event.scores[0].mean, event.final)
    return found


def same_state(left: Path, right: Path) -> bool:
    """Return whether two checkpoints hold the same weights, optimiser, random numbers and outcomes of evaluations."""
    ours, theirs = read_checkpoint(left), read_checkpoint(right)
    return _same(ours.weights, theirs.weights) and _same(ours.training, theirs.training)


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return torch.equal(left, right) if isinstance(left, torch.Tensor) else left == right


def test_what_is_due_is_saved_before_it_is_evaluated(make_config: MakeConfig, tmp_path: Path) -> None:
    saved: list[int] = []

    def look(session: Session, episodes: int) -> list[TargetScore]:
        saved.append(read_checkpoint(tmp_path / "last.pt").step)
        return score(session)

    session = new_session(make_config(**EVALUATED))
    events = run(session, tmp_path, look)
    assert saved == [2, 4, 6]
    assert [event.step for event in events if isinstance(event, CheckpointSaved) and not event.best] == [0, 2, 4, 6]
    state = read_checkpoint(tmp_path / "last.pt").training
    assert state is not None
    assert (state["evaluated_step"], state["best_return"]) == (6, 1e9), "the newest checkpoint knows how it went"


@pytest.mark.parametrize("last", [2, 4, 6])
@pytest.mark.parametrize("options", [{}, {"ema_decay": 0.9}, {"dropout_stops_at_first_eval": True}])
def test_a_kill_within_an_evaluation_costs_nothing_and_repeats_nothing(
    make_config: MakeConfig, tmp_path: Path, last: int, options: dict[str, Any]
) -> None:
    config = make_config(**EVALUATED, optim=options)
    whole = run(new_session(config), tmp_path / "whole")

    def die(session: Session, episodes: int) -> list[TargetScore]:
        if session.step == last:
            raise Killed
        return score(session)

    first = run(new_session(config), tmp_path / "parts", die)
    assert first[-1].step == last
    torch.manual_seed(5)  # whatever happened to the generators meanwhile must not matter
    evaluated: list[int] = []

    def count(session: Session, episodes: int) -> list[TargetScore]:
        evaluated.append(session.step)
        return score(session)

    second = run(resume_session(tmp_path / "parts" / "last.pt"), tmp_path / "parts", count)
    assert evaluated == [step for step in (2, 4, 6) if step >= last]
    assert [event.step for event in second if isinstance(event, StepDone)] == list(range(last + 1, 7))
    assert told(first + second) == told(whole)
    for name in ("last.pt", "best.pt", "000002.pt", "000004.pt"):
        assert same_state(tmp_path / "parts" / name, tmp_path / "whole" / name), name


def test_an_evaluation_that_is_done_is_not_repeated(make_config: MakeConfig, tmp_path: Path) -> None:
    session = new_session(make_config(**EVALUATED))
    for event in training_loop(session, Requests(), score, lambda s, best: save_checkpoint(s, tmp_path, best)):
        if isinstance(event, StepDone) and event.step == 3:
            break  # killed
    resumed = run(resume_session(tmp_path / "last.pt"), tmp_path)
    assert [event.step for event in resumed if isinstance(event, EvalDone)] == [4, 6]


def test_a_kill_before_the_first_step_can_be_resumed(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(model={"backbone": "mini"}, language={"weight": 0.1, "blocks": 2, "block_size": 16})
    whole = run(new_session(config), tmp_path / "whole")
    loop = training_loop(
        new_session(config), Requests(), score, lambda s, best: save_checkpoint(s, tmp_path / "parts", best)
    )
    assert [type(next(loop)).__name__ for _ in range(2)] == ["Started", "CheckpointSaved"]
    loop.close()
    torch.manual_seed(5)
    assert told(run(resume_session(tmp_path / "parts" / "last.pt"), tmp_path / "parts")) == told(whole)
    assert same_state(tmp_path / "parts" / "last.pt", tmp_path / "whole" / "last.pt")


def test_a_failing_environment_ends_evaluations_and_nothing_else(make_config: MakeConfig, tmp_path: Path) -> None:
    def fail(session: Session, episodes: int) -> list[TargetScore]:
        raise EnvironmentFault("the simulator blew up")

    config = make_config(**EVALUATED)
    whole = run(new_session(config), tmp_path / "whole")
    events = run(new_session(config), tmp_path / "failed", fail)
    failures = [(event.step, event.message, event.final) for event in events if isinstance(event, EvalFailed)]
    assert failures == [(step, "the simulator blew up", step == 6) for step in (2, 4, 6)]
    assert {key: value for key, value in told(whole).items() if key[0] == "step"} == told(events)
    end = events[-1]
    assert isinstance(end, Stopped)
    assert end.reason == "evaluation failed"
    assert end.message.startswith("the simulator blew up; all steps are trained and saved: ")
    again = run(resume_session(tmp_path / "failed" / "last.pt"), tmp_path / "failed")
    assert [type(event).__name__ for event in again] == ["Started", "EvalDone", "CheckpointSaved", "Stopped"]
    assert told(again) == {("evaluation", 6): told(whole)["evaluation", 6]}


def test_another_number_of_threads_is_told(make_config: MakeConfig, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    config = make_config(optim={"steps": 2})
    try:
        torch.set_num_threads(1)
        first = run(new_session(config), tmp_path)
        assert isinstance(first[0], Started)
        assert first[0].threads == 1
        assert told_notes(run(resume_session(tmp_path / "last.pt"), tmp_path)) == []
        torch.set_num_threads(2)
        (note,) = told_notes(run(resume_session(tmp_path / "last.pt"), tmp_path))
        assert note.startswith("trained on 2 threads from here on, and on 1 so far: numbers may differ in")
        payload = torch.load(tmp_path / "last.pt", weights_only=True)
        del payload["training"]["threads"]  # as earlier versions wrote it
        torch.save(payload, tmp_path / "older.pt")
        assert told_notes(run(resume_session(tmp_path / "older.pt"), tmp_path)) == []
    finally:
        torch.set_num_threads(threads)


def told_notes(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Note)]


class Free:
    """Nobody asks for anything."""

    paused = free = False

    def poll(self, requests: Requests, session: Session) -> None:
        """Ask for nothing."""


def broken_off(session: Session, folder: Path, error: type[BaseException], listen: Any = None) -> list[Event]:
    """Return the events of a run that is left with this error."""
    events: list[Event] = []
    listeners = [listen, events.append] if listen else [events.append]
    with pytest.raises(error):
        engine.run_session(session, folder, listeners, Free(), lambda *_: None)
    return events


@pytest.mark.parametrize("error", [MemoryError, ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_within_a_step_keeps_the_steps_before_it(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    config = make_config(model={"backbone": "mini"}, language={"weight": 0.1, "blocks": 2, "block_size": 16})
    whole = run(new_session(config), tmp_path / "whole")
    session = new_session(config)
    sound = session.learner.backward

    def fail(*arguments: Any) -> Any:
        losses = sound(*arguments)  # the batch is drawn, and gradients are there
        if session.step == 4:
            raise error
        return losses

    monkeypatch.setattr(session.learner, "backward", fail)
    first = broken_off(session, tmp_path / "parts", DeviceError if error is MemoryError else error)
    assert read_checkpoint(tmp_path / "parts" / "last.pt").step == 4
    if issubclass(error, Exception):
        assert isinstance(first[-1], Stopped)
        assert first[-1].reason == "error"
    torch.manual_seed(5)
    second = run(resume_session(tmp_path / "parts" / "last.pt"), tmp_path / "parts")
    assert told(first + second) == told(whole)
    assert same_state(tmp_path / "parts" / "last.pt", tmp_path / "whole" / "last.pt")


def test_an_error_within_an_evaluation_keeps_the_steps_before_it(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise RuntimeError("no memory")

    monkeypatch.setattr(engine, "evaluate", fail)
    config = make_config(eval={"every": 2, "episodes": 1}, checkpoint={"every": 100})
    broken_off(new_session(config), tmp_path, RuntimeError)
    assert read_checkpoint(tmp_path / "last.pt").step == 2
    resumed = run(resume_session(tmp_path / "last.pt"), tmp_path)
    assert [event.step for event in resumed if isinstance(event, EvalDone)] == [2, 4]


def test_half_an_optimiser_step_is_not_saved(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = new_session(make_config())

    def fail(*arguments: Any) -> None:
        if session.step == 5:
            raise MemoryError

    monkeypatch.setattr(session.learner, "settle", fail)
    broken_off(session, tmp_path, DeviceError)
    assert read_checkpoint(tmp_path / "last.pt").step == 3


def test_a_step_that_could_not_be_recorded_is_not_saved(make_config: MakeConfig, tmp_path: Path) -> None:
    def full(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 5:
            raise StorageError("metrics.jsonl: no space left")

    broken_off(new_session(make_config()), tmp_path, StorageError, full)
    assert read_checkpoint(tmp_path / "last.pt").step == 3, "or its record would be missing for ever"


def test_only_the_newest_checkpoint_holds_what_resuming_needs(make_config: MakeConfig, tmp_path: Path) -> None:
    run(new_session(make_config(**EVALUATED)), tmp_path)
    *older, newest = numbered_checkpoints(tmp_path)
    assert older
    held = [read_checkpoint(path) for path in (*older, newest)]
    assert [checkpoint.training is not None for checkpoint in held] == [False] * len(older) + [True]
    assert all(checkpoint.weights for checkpoint in held)
    assert older[-1].stat().st_size < newest.stat().st_size / 2
    with pytest.raises(CheckpointError, match=r"resume from last\.pt"):
        resume_session(older[-1])
    assert resume_session(tmp_path / "last.pt").step == held[-1].step
