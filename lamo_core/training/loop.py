"""The training loop: a generator of typed events, in the order of the paper."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from lamo_core.errors import EnvironmentFault, LamoError, MissingError
from lamo_core.evaluation.metrics import BEST_STEP
from lamo_core.evaluation.scores import TargetScore
from lamo_core.methods import METHODS
from lamo_core.training.adamw import clipping
from lamo_core.training.events import (
    CheckpointSaved,
    EvalDone,
    EvalFailed,
    Event,
    Note,
    Started,
    StepDone,
    Stopped,
)
from lamo_core.training.optimiser import policy_multiplier, rate_multiplier, set_rates
from lamo_core.training.session import Session

_NOTES = 10
"""How often a training on all episodes says how far it is, and asks whether to stop."""

Evaluate = Callable[[Session, int], list[TargetScore]]
"""Roll out the session's policy for a number of episodes per target."""
Save = Callable[[Session, bool], str]
"""Write a checkpoint (second argument: it is the best so far) and return its path."""


class EvaluationStopped(LamoError):
    """An evaluation was left because the run was asked to stop."""


class NonFiniteLoss(LamoError):
    """The loss or its gradient is not a number; raised before the update, so the weights are still sound."""


@dataclass
class Requests:
    """What somebody outside asked of the loop; read between two steps."""

    stop: str | None = None
    """Why to stop, such as `SIGINT` or `control`."""
    checkpoint: bool = False
    evaluate: bool = False


def training_loop(session: Session, requests: Requests, evaluate: Evaluate, save: Save) -> Iterator[Event]:
    """Advance a session to its last step and yield what happens.

    A stop request ends the loop after the step under way with a checkpoint. A loss that is not finite ends it before
    the update: the last checkpoint stays the newest good state. What is due to be saved is saved before it is
    evaluated, so that nothing that happens to an evaluation costs training, and once more with the outcome; the state
    before the first step is saved, too.
    """
    quiet = session.config.optim.dropout_stops_at_first_eval and session.evaluated_step >= 0
    session.policy.train(not quiet)
    yield _started(session)
    for text in session.notes:
        yield Note(session.step, time.time(), text=text)
    total = session.config.optim.steps
    if session.step == 0 and session.saved_step != 0:
        yield _saved(session, save)
    if 0 < session.step < total and not requests.stop and _is_due(session, session.config.eval.every):
        yield from _evaluation(session, requests, evaluate, save)
    while session.step < total and not requests.stop:
        try:
            yield _train_step(session)
        except NonFiniteLoss as error:
            yield Stopped(session.step, time.time(), reason="non-finite loss", message=str(error))
            return
        yield from _between_steps(session, requests, evaluate, save)
    failed = ""
    if session.saved_step != session.step:
        yield _saved(session, save)
    if not requests.stop:
        yield from _train_on_all(session, requests, save)
    if not requests.stop:
        failed = yield from _evaluation(session, requests, evaluate, save, final=True)
    yield _stopped(session, requests, failed)


def _train_on_all(session: Session, requests: Requests, save: Save) -> Iterator[Event]:
    """Train anew on all of a few episodes, for as many steps as the held-out ends of them chose, and keep the weights.

    Left when the run is asked to stop: whoever resumes it begins this again.
    """
    kept = session.kept
    if session.again is None or kept is None or kept.of_all or kept.step < 1:
        return
    with session.same_random_numbers():
        other = session.again()
        other.policy.train()
        while other.step < kept.step and not requests.stop:
            if other.step % max(1, kept.step // _NOTES) == 0:
                text = f"training anew on all episodes, step {other.step:,} of the {kept.step:,} that were best"
                yield Note(session.step, time.time(), text=text)
            _train_step(other)
        if requests.stop:
            return
        with other.averaged():
            kept.take(other.policy)
    yield _saved(session, save)


def _between_steps(session: Session, requests: Requests, evaluate: Evaluate, save: Save) -> Iterator[Event]:
    config, last = session.config, session.step >= session.config.optim.steps
    if requests.stop or last:
        return
    if requests.checkpoint or session.step % config.checkpoint.every == 0:
        requests.checkpoint = False
        yield _saved(session, save)
    if not requests.stop and (requests.evaluate or _is_due(session, config.eval.every)):
        requests.evaluate = False
        yield from _evaluation(session, requests, evaluate, save)


def _is_due(session: Session, every: int) -> bool:
    return every > 0 and session.step % every == 0 and session.evaluated_step != session.step


def _stopped(session: Session, requests: Requests, failed: str) -> Stopped:
    """Return how the loop ended; `failed` says why the final evaluation did."""
    if requests.stop:
        return Stopped(session.step, time.time(), reason="stop", message=f"asked to stop by {requests.stop}")
    if failed:
        message = (
            f"{failed}; all steps are trained and saved: lamo train --resume RUN evaluates once more, so does lamo eval"
        )
        return Stopped(session.step, time.time(), reason="evaluation failed", message=message)
    return Stopped(session.step, time.time(), reason="finished", message="")


def _started(session: Session) -> Started:
    trainable, frozen = session.trainable()
    return Started(
        session.step,
        time.time(),
        total=session.config.optim.steps,
        trainable=trainable,
        frozen=frozen,
        device=str(session.device),
        precision=str(session.learner.dtype).removeprefix("torch."),
        backbone=session.learner.backbone[0],
        episodes=session.data["episodes"],
        transitions=session.data["transitions"],
        data_return_mean=session.data["return_mean"],
        targets=session.targets,
        data_digest=session.data["digest"],
        threads=torch.get_num_threads(),
        trunk_notes=session.trunk_notes,
        micro_batch=_micro_batch(session),
    )


def _micro_batch(session: Session) -> int:
    asked = session.config.optim.micro_batch_size
    remembers = METHODS[session.config.method].memory
    return min(asked, session.config.optim.batch_size) if remembers and asked != "auto" else 0


def _evaluation(
    session: Session, requests: Requests, evaluate: Evaluate, save: Save, final: bool = False
) -> Generator[Event, None, str]:
    """Evaluate and put down the outcome; returns why the environment let it fail, or nothing.

    An evaluation that fails counts as done: whoever resumes the run does not meet the same failure again and again.
    """
    episodes, failed = session.config.eval.final_episodes if final else session.config.eval.episodes, ""
    if not episodes:
        return failed
    start = time.perf_counter()
    try:
        scores, metrics = _measured(session, episodes, evaluate)
    except EvaluationStopped:
        return failed
    except (EnvironmentFault, MissingError) as error:
        failed, session.evaluated_step = str(error), session.step
        yield EvalFailed(session.step, time.time(), message=failed, final=final)
    else:
        session.evaluated_step = session.step
        yield EvalDone(session.step, time.time(), tuple(scores), time.perf_counter() - start, final, metrics)
        best = max(score.mean for score in scores)
        if best > session.best_return:
            session.best_return = best
            yield _saved(session, save, best=True)
    if session.saved_step == session.step:
        save(session, False)  # what was saved before the evaluation does not know how it went
    return failed


def _measured(session: Session, episodes: int, evaluate: Evaluate) -> tuple[list[TargetScore], dict[str, float]]:
    """Return the scores of the policy that acts, and what else is measured of it."""
    session.policy.eval()
    try:
        with session.acting():
            metrics = session.learner.metrics(session.config)
            if session.kept and session.kept.step >= 0:
                metrics[BEST_STEP] = session.kept.step
            return evaluate(session, episodes), metrics
    finally:
        if not session.config.optim.dropout_stops_at_first_eval:
            session.policy.train()


def _saved(session: Session, save: Save, best: bool = False) -> CheckpointSaved:
    saved = CheckpointSaved(session.step, time.time(), path=save(session, best), best=best)
    if not best:
        session.saved_step = session.step
    return saved


def _train_step(session: Session) -> StepDone:
    """Take one optimiser step: gradient of the method's losses, clip, step.

    The host waits for the device once, when everything is queued. Whether the update is applied is decided there.
    """
    optim, clock, learner = session.config.optim, _Clock(session.device), session.learner
    multiplier = rate_multiplier(session.step, optim, _tokens_per_step(session))
    rate = set_rates(learner.optimiser, multiplier, policy_multiplier(session.step, optim))
    with session.undone_if_it_fails() as undo:
        pending = learner.backward(session.config, session.step, clock.lap)
        norm = learner.optimiser.gradient_norm()
        found = torch.stack([*(term.to(norm.dtype) for term in pending.terms.values()), norm])
        skip = found.isfinite().all().logical_not().to(norm.dtype)
    session.whole = False
    learner.optimiser.step(divisor=clipping(norm, optim.clip), skip=skip)
    clock.lap("optimiser")
    *values, grad_norm = found.tolist()
    losses = pending.told(dict(zip(pending.terms, values, strict=True)))
    if not all(map(math.isfinite, (*values, grad_norm))):
        undo()
        raise NonFiniteLoss(
            f"the loss or its gradient is not finite at step {session.step + 1}; lower optim.learning_rate or set "
            "precision = fp32, then resume from the last checkpoint"
        )
    learner.optimiser.zero_grad()
    session.step += 1
    learner.settle(session.config, session.step)
    if session.average:
        session.average.update(session.step)
    session.whole = True
    held_out = _note_held_out(session)
    if held_out is not None:
        clock.lap("held-out")
    return StepDone(
        session.step,
        time.time(),
        loss=losses.total,
        decision_loss=losses.decision,
        language_loss=losses.language,
        grad_norm=grad_norm,
        learning_rate=rate,
        samples=session.step * optim.batch_size,
        seconds=clock.seconds(),
        parts=losses.parts,
        held_out_loss=held_out,
    )


def _note_held_out(session: Session) -> float | None:
    """Measure the loss on what is held out where it is due, and keep the weights if they are the best; returns it."""
    if session.kept is None or not session.kept.is_due(session.step, session.config.optim.steps):
        return None
    training = session.policy.training
    session.policy.eval()
    try:
        with session.averaged():
            loss = session.learner.held_out_loss(session.config)
            if loss is not None:
                session.kept.note(session.step, loss)
        return loss
    finally:
        session.policy.train(training)


def _tokens_per_step(session: Session) -> float:
    """Return the expected number of actions above 0 in a batch, which is what the official Atari code counts."""
    share = 1 - 1 / session.task.actions
    return session.config.optim.batch_size * session.config.model.context * share


class _Clock:
    """Seconds per phase of a step, by events of a CUDA device, which need no waiting, or by the host's clock."""

    def __init__(self, device: torch.device) -> None:
        self._on_device = device.type == "cuda"
        self._laps: list[tuple[str, Any]] = [("", self._now())]

    def lap(self, phase: str) -> None:
        """End a phase."""
        self._laps.append((phase, self._now()))

    def seconds(self) -> dict[str, float]:
        """Return what the phases took, once the device has come past the last of them."""
        return {phase: self._between(before, now) for (_, before), (phase, now) in itertools.pairwise(self._laps)}

    def _now(self) -> Any:
        if not self._on_device:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def _between(self, before: Any, now: Any) -> float:
        return float(before.elapsed_time(now) / 1000 if self._on_device else now - before)
