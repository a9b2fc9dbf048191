"""Events to put into a run, and a clock that moves when told to."""

from __future__ import annotations

from collections.abc import Iterable

from lamo_core.evaluation.scores import TargetScore
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.writer import RunWriter
from lamo_core.training.events import EvalDone, Started, StepDone, Stopped


class FakeClock:
    """A clock that moves when told to."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def started(step: int = 0, total: int = 100) -> Started:
    return Started(
        step,
        1.0,
        total=total,
        trainable=10,
        frozen=90,
        device="cpu",
        precision="float32",
        backbone="mini",
        episodes=7,
        transitions=700,
        data_return_mean=4.5,
        targets=(9.0,),
    )


def step_done(step: int, loss: float = 0.5, language: float | None = None, seconds: float = 0.1) -> StepDone:
    return StepDone(
        step,
        float(step),
        loss=loss,
        decision_loss=loss,
        language_loss=language,
        grad_norm=1.0,
        learning_rate=1e-3,
        samples=32 * step,
        seconds={"data": 0.0, "model": seconds},
    )


def score(returns: Iterable[float], target: float = 9.0) -> TargetScore:
    values = tuple(returns)
    average = sum(values) / len(values)
    return TargetScore(
        target=target,
        episodes=len(values),
        returns=values,
        lengths=tuple(10 for _ in values),
        mean=average,
        low=min(values),
        high=max(values),
        normalised=10 * average,
        length_mean=10.0,
        steps_per_second=100.0,
        context="chunked",
        action="sample",
    )


def eval_done(
    step: int,
    *scores: TargetScore,
    seconds: float = 2.0,
    final: bool = False,
    unseen: float | None = None,
    constant: float | None = None,
    best_step: int | None = None,
) -> EvalDone:
    measured = {"loss/unseen": unseen, "loss/constant": constant, "best_step": best_step}
    return EvalDone(
        step,
        float(step),
        scores=scores,
        seconds=seconds,
        final=final,
        metrics={name: value for name, value in measured.items() if value is not None},
    )


def record(run: RunDirectory, returns: list[float], *, finished: bool = True, steps: int = 4) -> RunDirectory:
    """Write a run of four steps a second with an evaluation, of 1 s an episode, and a final one with these returns."""
    with RunWriter(run) as writer:
        writer.write(started(total=steps))
        for step in range(1, steps + 1):
            writer.write(step_done(step, seconds=0.25))
            if step == steps // 2:
                writer.write(eval_done(step, score([100.0, 100.0])))
        if finished:
            writer.write(eval_done(steps, score(returns), score([-1.0] * len(returns), target=3.0), final=True))
            writer.write(Stopped(steps, 4.0, reason="finished", message=""))
    return run
