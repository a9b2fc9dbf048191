"""What one run has to tell a report: its final episodes, its curve, and what made it the experiment that it is.

A result is first a record of plain values, the same whether it is gathered from a run's folder or read from a file of
results (`results_file`), and only then a `RunResult`: reports of both are equal.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lamo_core.errors import LamoError
from lamo_core.evaluation.metrics import UNSEEN_LOSS
from lamo_core.runs.compare import flatten
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.evaluations import Change, Evaluation, history, shown_value
from lamo_core.runs.labels import Origins, experiment_settings, label_of
from lamo_core.runs.metrics.series import MetricsTail
from lamo_core.runs.reader import read_events
from lamo_core.runs.records import number
from lamo_core.runs.reliance_file import parse_shares, read_reliance
from lamo_core.runs.status import read_status
from lamo_core.tasks.registry import versioned
from lamo_core.wording import plural

Record = dict[str, Any]

_LONGEST = 200
"""Characters of a name in a record."""
_MOST_EPISODES = 10_000


@dataclass(frozen=True)
class RunResult:
    """The final evaluation of one run and what it took."""

    id: str
    task: str
    ratio: float
    method: str
    """The run's label, such as `lamo +frozen`; see `runs.labels`."""
    backbone: str
    seed: int
    context: str
    target: float
    returns: tuple[float, ...]
    """Raw return of every episode of the best target."""
    data_mean: float
    data_digest: str
    """Equal for runs on the same episodes; empty for runs that did not record it."""
    episodes: int
    transitions: int
    steps: int
    seconds: float
    """Wall time of the whole run, pauses left out."""
    rate: float
    """Optimiser steps per second, evaluations left out."""
    machine: str
    source: str
    data_set: str
    rewards: str
    """Whether `data_mean` is of raw or of clipped rewards."""
    targets: int
    """Return targets that the final evaluation tried."""
    metrics: Mapping[str, float]
    """What the final evaluation measured besides returns, by name, such as `loss/unseen`."""
    reliance: Mapping[str, float] | None
    """How far each part of what the policy sees moves its last checkpoint's decisions, as a share; None if not
    measured."""
    evaluations: tuple[tuple[int, Mapping[float, float]], ...]
    """Step and mean raw return by target of every evaluation; a repeated step counts as it was last."""
    settings: Mapping[str, str]
    """What makes the run the experiment that it is, as text; a setting that it did not know has its default."""
    continued: bool = False
    """Whether the run went on after this evaluation, without another final one."""


class NoResult(LamoError):
    """A run that has no final evaluation yet."""


def read_result(run: RunDirectory) -> RunResult:
    """Return a run's final result; raises `NoResult` when there is none, `UsageError` when it is no run."""
    return result_of(gather(run))


def gather(run: RunDirectory) -> Record:
    """Return a run's result as plain values without host, paths and command; raises as `read_result` does."""
    try:
        record = _gather(run)
        result_of(record)
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        what = error if isinstance(error, ValueError) else "they have another form"
        raise NoResult(f"the records of run {run.id} are damaged: {what}") from error
    return record


def _gather(run: RunDirectory) -> Record:
    info = run.read_info()
    held = history(read_events(run.events_file))
    final = held.final
    if final is None or not final.started:
        raise NoResult(f"run {run.id} has no final evaluation yet")
    begin, pace = final.started, _pace(run, final)
    machine, measured = info.get("machine") or {}, read_reliance(run)
    return {
        "id": run.id,
        "name": str(info.get("name", "")),
        "lamo": str((info.get("versions") or {}).get("lamo", "")),
        "commit": info.get("git"),
        "settings": flatten(info["config"]),
        "origins": Origins.of(info.get("origins")).to_record(),
        "changes": [[change.step, change.name, change.value] for change in held.final_changes],
        "trunk": str(begin.get("backbone")),
        "data": {
            "episodes": begin.get("episodes", 0),
            "transitions": begin.get("transitions", 0),
            "return_mean": begin.get("data_return_mean"),
            "digest": str(begin.get("data_digest") or ""),
        },
        "device": str(begin.get("device")),
        "processor": str(machine.get("processor", "unknown")),
        "cpus": machine.get("cpus", 0),
        "steps": final.step,
        "last_step": pace.last_step,
        "seconds": round(pace.seconds, 3),
        "rate": pace.rate,
        "evaluations": [_means_of(one) for one in held.evaluations if one.step <= final.step],
        "metrics": _metrics_of(final.event),
        "reliance": measured.shares if measured is not None and measured.step == final.step else None,
        "final": [{key: score.get(key) for key in ("target", "context", "returns")} for score in final.event["scores"]],
    }


def result_of(record: Mapping[str, Any]) -> RunResult:
    """Return the result that a record holds; raises `ValueError` with what is wrong with it."""
    try:
        return _result(record)
    except KeyError as error:
        raise ValueError(f"{error.args[0]} is missing") from error
    except (LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError("it has another form") from error


def _result(record: Mapping[str, Any]) -> RunResult:
    settings, data = record["settings"], record["data"]
    evaluations = tuple((_whole(step), _means(means)) for step, means in record["evaluations"])
    scores = [(score, tuple(_finite(value, "a return") for value in score["returns"])) for score in record["final"]]
    if not scores or not evaluations or not all(returns for _, returns in scores):
        raise ValueError("it has no episodes")
    best, returns = max(scores, key=lambda score: sum(score[1]) / len(score[1]))
    if any(len(values) > _MOST_EPISODES for _, values in scores):
        raise ValueError("it has more episodes than any evaluation")
    ratio = _finite(settings.get("data.ratio", 1.0), "the share of the data")
    if not 0 < ratio <= 1:
        raise ValueError("the share of the data is none")
    for name in ("lamo", "commit", "name"):
        _text(record.get(name) or "")
    _text(settings.get("method"))
    cores = f"{record['cpus'] or '?'} {plural('core', record['cpus'])}"
    device, where = _text(record["device"]), f"{cores}, {_text(record['processor'])}"
    label = label_of(settings, Origins.from_record(record.get("origins")), _changes(record["changes"]))
    return RunResult(
        id=_text(record["id"]),
        task=versioned(_text(settings.get("task.name")), _text(settings.get("task.version", "v4"))),
        ratio=ratio,
        method=_text(str(label), 100 * _LONGEST),
        # methods without a trunk say so when they start
        backbone="none" if record["trunk"] == "none" else _text(settings.get("model.backbone")),
        seed=_whole(settings.get("seed", 0)),
        context=_text(best["context"]),
        target=number(best["target"]) or 0.0,
        returns=returns,
        data_mean=number(data["return_mean"]) or 0.0,
        data_digest=_text(data.get("digest", "")),
        episodes=_whole(data["episodes"]),
        transitions=_whole(data["transitions"]),
        steps=_whole(record["steps"]),
        seconds=_finite(record["seconds"], "the time"),
        rate=_finite(record["rate"], "the rate"),
        machine=where if device == "cpu" else f"{device}, {where}",
        source=_text(settings.get("data.source")),
        data_set=_text(settings.get("data.set")),
        rewards=_text(settings.get("data.rewards", "raw")),
        targets=len(scores),
        metrics={_text(name): _finite(value, "a metric") for name, value in _metrics_of(record).items()},
        reliance=None if record.get("reliance") is None else parse_shares(record["reliance"]),
        evaluations=evaluations,
        settings=_experiment(settings, _changes(record["changes"])),
        continued=_whole(record.get("last_step", record["steps"])) > _whole(record["steps"]),
    )


def _metrics_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metrics of an evaluation or of a result; earlier versions knew one, and gave it a field."""
    earlier = {} if record.get("unseen_loss") is None else {UNSEEN_LOSS: record["unseen_loss"]}
    return {**earlier, **(record.get("metrics") or {})}


def _changes(rows: Iterable[Sequence[Any]]) -> list[Change]:
    return [Change(_whole(step), _text(name), _text(shown_value(value))) for step, name, value in rows]


def _experiment(settings: Mapping[str, Any], changes: Iterable[Change]) -> dict[str, str]:
    found = {_text(name): json.dumps(value) for name, value in experiment_settings(settings).items()}
    for change in changes:
        if change.name in found:
            found[change.name] += f", {change.value} from step {change.step}"
    return {name: _text(value, 100 * _LONGEST) for name, value in found.items()}


def _means_of(evaluation: Evaluation) -> list[Any]:
    """Return [step, [[target, mean], …]] of an evaluation."""
    scores = evaluation.event["scores"]
    return [evaluation.step, [[number(s.get("target")) or 0.0, number(s.get("mean")) or 0.0] for s in scores]]


def _means(pairs: Iterable[Sequence[Any]]) -> dict[float, float]:
    means = {_finite(target, "a target"): _finite(mean, "a mean return") for target, mean in pairs}
    if not means:
        raise ValueError("an evaluation has no targets")
    return means


@dataclass(frozen=True)
class _Pace:
    """What a run took until its final evaluation."""

    last_step: int
    """The newest step: beyond the evaluation's, where the run was continued."""
    seconds: float
    rate: float
    """Steps per second of training alone."""


def _pace(run: RunDirectory, final: Evaluation) -> _Pace:
    metrics = MetricsTail(run.metrics_file)
    metrics.poll_all()
    phases = {name: metrics.series(name) for name in metrics.names if name.startswith("time/")}
    until = {name: float(one.value[one.step <= final.step].sum()) for name, one in phases.items()}
    training = sum(seconds for name, seconds in until.items() if name != "time/eval")
    count = max((int((one.step <= final.step).sum()) for name, one in phases.items() if name != "time/eval"), default=0)
    if metrics.last_step <= final.step:
        seconds = read_status(run).seconds
    else:
        # records of versions that did not note the time down still say how long each part took
        seconds = number(final.event.get("worked")) or sum(until.values())
    return _Pace(metrics.last_step, seconds, count / training if training > 0 else 0.0)


def _finite(value: Any, what: str) -> float:
    found = number(value)
    if found is None or not math.isfinite(found):
        raise ValueError(f"{what} is not a number")
    return found


def _whole(value: Any) -> int:
    if type(value) is not int or not -1 <= value < 1 << 62:
        raise ValueError("a count is no whole number")
    return value


def _text(value: Any, longest: int = _LONGEST) -> str:
    """Return a text that may stand in a table; terminals would interpret characters that do not print."""
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise ValueError("a name is no plain text")
    return value
