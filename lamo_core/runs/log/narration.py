"""Training events as sentences, for logs and consoles."""

from __future__ import annotations

from lamo_core.training.events import (
    Changed,
    CheckpointSaved,
    EvalDone,
    Event,
    Note,
    Paused,
    Resumed,
    Started,
    Stopped,
)


def narrate(event: Event) -> str:
    """Return one line of text about an event; empty for steps, of which there are too many."""
    match event:
        case Started():
            return _started(event)
        case EvalDone():
            return _evaluated(event)
        case CheckpointSaved():
            return f"step {event.step:,}: checkpoint {event.path}{' (best so far)' if event.best else ''}"
        case Paused():
            given = f", {event.freed / 1e9:.2g} GB of its device given back" if event.freed else ""
            return f"step {event.step:,}: paused{given}{': ' + event.message if event.message else ''}"
        case Resumed():
            return f"step {event.step:,}: going on"
        case Changed():
            return f"step {event.step:,}: {event.name} = {event.value:g}"
        case Note():
            return f"step {event.step:,}: {event.text}"
        case Stopped():
            return f"step {event.step:,}: {event.reason}{': ' + event.message if event.message else ''}"
    return ""


def _started(event: Started) -> str:
    at_once = f", {event.micro_batch} window{'s' * (event.micro_batch != 1)} at once" if event.micro_batch else ""
    where = f"{event.device}, {event.precision}{at_once}"
    what = f"{event.trainable:,} parameters trained, {event.frozen:,} frozen ({event.backbone})"
    size = f"{event.episodes:,} episodes, {event.transitions:,} transitions"
    mean = f"mean return {event.data_return_mean:.4g}"
    begin = f"resumed at step {event.step:,}" if event.step else "started"
    return f"{begin}: {event.total:,} steps on {where}; {what}; data: {size}, {mean}"


def _evaluated(event: EvalDone) -> str:
    scores = "; ".join(
        f"return {score.mean:.4g} [{score.low:.4g}, {score.high:.4g}] for target {score.target:g}, "
        # NaN where the task has no scale
        f"{'' if score.normalised != score.normalised else f'normalised {score.normalised:.4g}, '}"
        f"{score.episodes} episode{'s' * (score.episodes != 1)}, {score.context}"
        for score in event.scores
    )
    kind = "final evaluation" if event.final else "evaluation"
    unseen = "" if event.unseen_loss is None else f"; loss on unseen episodes {event.unseen_loss:.4g}"
    return f"step {event.step:,}: {kind} in {event.seconds:.0f} s: {scores}{unseen}"
