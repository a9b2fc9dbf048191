"""Evaluation of a checkpoint: its episodes played, the median ones kept and filmed, its scores printed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lamo_core.config import ContextMode, RunConfig
from lamo_core.errors import StorageError
from lamo_core.evaluation.contexts import Actor
from lamo_core.evaluation.evaluate import Evaluation, evaluate
from lamo_core.evaluation.intervals import spanned
from lamo_core.evaluation.median_replays import keep_medians, median_episode
from lamo_core.evaluation.recorder import check_video, write_video
from lamo_core.evaluation.rollout_spec import Asked
from lamo_core.evaluation.scores import ActionMode
from lamo_core.out_of_memory import advised, name_of
from lamo_core.tasks.registry import task_of
from lamo_core.tasks.rendering.backend import is_schematic
from lamo_core.tasks.task import Task
from lamo_core.training.checkpoint import load_policy
from lamo_core.training.device import resolve_device
from lamo_core.wording import counted
from lamo_tui.cli.output import console, emit_json, emit_table, say
from lamo_tui.cli.progress import progress
from lamo_tui.format import known, rate


@dataclass(frozen=True)
class Wanted:
    """How a checkpoint is played; what is empty or None is as in training."""

    targets: tuple[float, ...]
    episodes: int
    modes: tuple[ContextMode, ...]
    action: ActionMode | None
    seed: int | None
    device: str


def play_checkpoint(path: Path, wanted: Wanted, video: Path | None, *, pretty: bool, as_json: bool) -> None:
    """Play a checkpoint, film it where a `video` is wanted, and print its scores; raises `LamoError`."""
    policy, config, facts = load_policy(path, resolve_device(wanted.device))
    if video is not None:
        check_video(video)
    evaluations = _play(
        policy,
        config,
        modes=wanted.modes or (config.eval.context,),
        targets=wanted.targets or tuple(facts["targets"]),
        episodes=wanted.episodes,
        action=wanted.action or config.eval.action,
        seed=config.eval.seed if wanted.seed is None else wanted.seed,
    )
    if video is not None:
        _film(video, evaluations[0], config, wanted.episodes, pretty)
    kept = _keep(path, evaluations, config, int(facts["step"]))
    report = _report(path, policy.task, config, facts, evaluations, video) | {"replays": kept}
    if as_json:
        emit_json(report)
    else:
        _print_table(report, policy.task)


def _play(
    policy: Actor,
    config: RunConfig,
    *,
    modes: Sequence[ContextMode],
    targets: tuple[float, ...],
    episodes: int,
    action: ActionMode,
    seed: int,
) -> list[Evaluation]:
    """Evaluate in every mode on the same seeds; the second of two modes also decides beside the first."""
    results, device = [], next(policy.parameters()).device.type
    with progress() as report:
        for mode in modes:
            stage = f"playing ({mode})"

            def tell(done: int, total: int, steps: int, stage: str = stage) -> None:
                report(stage, done, total)

            beside = modes[1] if mode == modes[0] and len(modes) == 2 else None
            with advised(name_of(device), "use fewer --episodes, close other programs, or choose another --device"):
                result = evaluate(
                    policy,
                    config.task,
                    Asked(targets, episodes, mode, action, seed, config.paid, record=True),
                    compare_with=beside,
                    progress=tell,
                )
            results.append(result)
    return results


def _keep(path: Path, evaluations: Sequence[Evaluation], config: RunConfig, step: int) -> list[str]:
    """Keep the median episodes beside the run of a checkpoint; a folder that cannot be written to is no failure."""
    run = path.resolve().parent.parent
    if path.resolve().parent.name != "checkpoints" or not (run / "run.json").is_file():
        return []
    first = evaluations[0]
    played = replace(config.eval, context=first.scores[0].context, action=first.scores[0].action)
    try:
        kept = keep_medians(run / "replays", first.episodes, replace(config, eval=played), step, prefix="eval-")
    except StorageError as error:
        console().print(f"the median episodes were not kept: {error}", markup=False)
        return []
    return [str(file) for file in kept]


def _film(video: Path, evaluation: Evaluation, config: RunConfig, episodes: int, pretty: bool) -> None:
    median = median_episode(evaluation.episodes[:episodes])
    write_video(video, median, config.task, pretty=pretty)
    if is_schematic(task_of(config.task)):
        console().print("pictures are drawings, as no graphics library is used; see `lamo doctor`", markup=False)
    console().print(f"filmed the median episode (return {median.ret:g}) of target {median.target:g}: {video}")


def _report(
    path: Path,
    task: Task,
    config: RunConfig,
    facts: dict[str, Any],
    evaluations: Sequence[Evaluation],
    video: Path | None,
) -> dict[str, Any]:
    agreement = evaluations[0].agreement
    return {
        "checkpoint": str(path),
        "step": facts["step"],
        "task": asdict(config.task),
        "backbone": config.model.backbone,
        "scores": [score.to_dict() for evaluation in evaluations for score in evaluation.scores],
        "agreement": asdict(agreement) if agreement else None,
        "random_score": task.random_score,
        "expert_score": task.expert_score,
        "data": {key: value for key, value in facts.items() if key != "step"} | {"rewards": config.data.rewards},
        "seconds": sum(evaluation.seconds for evaluation in evaluations),
        "video": str(video) if video else None,
    }


def _print_table(report: dict[str, Any], task: Task) -> None:
    columns = ["", "target", "episodes", "return", "95 % interval", "score", "length", "steps/s", "context"]
    rows: list[list[object]] = [
        [
            "policy",
            f"{score['target']:g}",
            score["episodes"],
            f"{score['mean']:.1f}",
            spanned(score["low"], score["high"], "{:.1f}".format),
            known(score["normalised"], ".1f"),
            f"{score['length_mean']:.0f}",
            rate(score["steps_per_second"]),
            score["context"],
        ]
        for score in report["scores"]
    ]
    has_scale = not math.isnan(task.random_score)
    if has_scale:
        rows.append(_reference_row("random play", task.random_score, 0.0))
    data = report["data"]
    if data["rewards"] == "raw":
        mean = data["return_mean"]
        name = f"data ({data['set']}, {100 * data['ratio']:g} %)"
        rows.append(_reference_row(name, mean, task.normalised(mean), episodes=data["episodes"]))
    emit_table(columns, rows, right=columns[1:8])
    if has_scale:
        say(f"score: 0 is random play ({task.random_score:g}), 100 {task.expert} ({task.expert_score:g})")
    if report["agreement"]:
        say(_agreement_text(report["agreement"]))


def _reference_row(name: str, mean: float, score: float, episodes: int | None = None) -> list[object]:
    return [name, None, episodes, f"{mean:.1f}", None, known(score, ".1f"), None, None, None]


def _agreement_text(agreement: dict[str, Any]) -> str:
    leading, beside = agreement["leading"], agreement["beside"]
    over = f"over {counted(agreement['decisions'], 'decision')} of the {leading} episodes, {leading} and {beside}"
    if agreement["same_action"] is None:
        return f"{over} differ by {agreement['distance']:.3f} on average in every action dimension"
    return (
        f"{over} have the same likeliest action in {100 * agreement['same_action']:.1f} %; "
        f"mean total variation distance {agreement['distance']:.3f}"
    )
