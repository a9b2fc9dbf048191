"""The training loop: a generator of typed events, in the order of the paper."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from lamo_core.errors import LamoError
from lamo_core.evaluation.scores import TargetScore
from lamo_core.methods import METHODS
from lamo_core.training.adamw import clipping
from lamo_core.training.events import CheckpointSaved, EvalDone, Event, Started, StepDone, Stopped
from lamo_core.training.optimiser import rate_multiplier, set_rates
from lamo_core.training.session import Session

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
    the update: the last checkpoint stays the newest good state.
    """
    quiet = session.config.optim.dropout_stops_at_first_eval and session.evaluated_step >= 0
    session.policy.train(not quiet)
    yield _started(session)
    total = session.config.optim.steps
    if 0 < session.step < total and not requests.stop and _is_due(session, session.config.eval.every):
        yield from _evaluation(session, requests, evaluate, save)
    while session.step < total and not requests.stop:
        try:
            yield _train_step(session)
        except NonFiniteLoss as error:
            yield Stopped(session.step, time.time(), reason="non-finite loss", message=str(error))
            return
        yield from _between_steps(session, requests, evaluate, save)
    if not requests.stop:
        yield from _evaluation(session, requests, evaluate, save, final=True)
    if not requests.stop or session.saved_step != session.step:
        yield _saved(session, save)
    if requests.stop:
        yield Stopped(session.step, time.time(), reason="stop", message=f"asked to stop by {requests.stop}")
    else:
        yield Stopped(session.step, time.time(), reason="finished", message="")


def _between_steps(session: Session, requests: Requests, evaluate: Evaluate, save: Save) -> Iterator[Event]:
    config, last = session.config, session.step >= session.config.optim.steps
    if requests.stop or last:
        return
    if requests.evaluate or _is_due(session, config.eval.every):
        requests.evaluate = False
        yield from _evaluation(session, requests, evaluate, save)
    if requests.checkpoint or session.step % config.checkpoint.every == 0:
        requests.checkpoint = False
        yield _saved(session, save)


def _is_due(session: Session, every: int) -> bool:
    return every > 0 and session.step % every == 0 and session.evaluated_step != session.step


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
        micro_batch=_micro_batch(session),
    )


def _micro_batch(session: Session) -> int:
    asked = session.config.optim.micro_batch_size
    remembers = METHODS[session.config.method].memory
    return min(asked, session.config.optim.batch_size) if remembers and asked != "auto" else 0


def _evaluation(
    session: Session, requests: Requests, evaluate: Evaluate, save: Save, final: bool = False
) -> Iterator[Event]:
    episodes = session.config.eval.final_episodes if final else session.config.eval.episodes
    if not episodes:
        return
    start = time.perf_counter()
    session.policy.eval()
    try:
        with session.averaged():
            unseen = session.learner.unseen_loss(session.config)
            scores = evaluate(session, episodes)
    except EvaluationStopped:
        return
    finally:
        if not session.config.optim.dropout_stops_at_first_eval:
            session.policy.train()
    session.evaluated_step = session.step
    seconds = time.perf_counter() - start
    yield EvalDone(session.step, time.time(), tuple(scores), seconds, final, unseen)
    best = max(score.mean for score in scores)
    if best > session.best_return:
        session.best_return = best
        yield _saved(session, save, best=True)


def _saved(session: Session, save: Save, best: bool = False) -> CheckpointSaved:
    saved = CheckpointSaved(session.step, time.time(), path=save(session, best), best=best)
    if not best:
        session.saved_step = session.step
    return saved


def _train_step(session: Session) -> StepDone:
    """Take one optimiser step: gradient of the method's losses, clip, step."""
    optim, clock, learner = session.config.optim, _Clock(session.device), session.learner
    rate = set_rates(learner.optimiser, rate_multiplier(session.step, optim, _tokens_per_step(session)))
    losses = learner.backward(session.config, session.step, clock.lap)
    gradient_norm = learner.optimiser.gradient_norm()
    norm = float(gradient_norm)
    if not (_finite(losses.total) and _finite(norm)):
        raise NonFiniteLoss(
            f"the loss or its gradient is not finite at step {session.step + 1}; lower optim.learning_rate or set "
            "precision = fp32, then resume from the last checkpoint"
        )
    learner.optimiser.step(divisor=clipping(gradient_norm, optim.clip))
    learner.optimiser.zero_grad()
    session.step += 1
    learner.settle(session.config, session.step)
    if session.average:
        session.average.update(session.step)
    clock.lap("optimiser")
    return StepDone(
        session.step,
        time.time(),
        loss=losses.total,
        decision_loss=losses.decision,
        language_loss=losses.language,
        grad_norm=norm,
        learning_rate=rate,
        samples=session.step * optim.batch_size,
        seconds=clock.seconds,
        parts=losses.parts,
    )


def _tokens_per_step(session: Session) -> float:
    """Return the expected number of actions above 0 in a batch, which is what the official Atari code counts."""
    share = 1 - 1 / session.task.actions
    return session.config.optim.batch_size * session.config.model.context * share


def _finite(value: float) -> bool:
    return value == value and abs(value) != float("inf")


class _Clock:
    """Seconds per phase of a step."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device
        self._last = time.perf_counter()

    def lap(self, phase: str) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        self.seconds[phase] = now - self._last
        self._last = now
