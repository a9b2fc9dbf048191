"""What can be played, and how it is opened: a checkpoint, a run, or a recorded episode."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lamo_core.config import ContextMode, RunConfig, TaskConfig
from lamo_core.errors import UsageError
from lamo_core.evaluation.replay_file import Replay, load_replay
from lamo_core.evaluation.scores import ActionMode
from lamo_core.exchange.policy_repository import fetch_policy, means_repository
from lamo_core.player.episode import ShownEpisode
from lamo_core.player.history import Track, track_of
from lamo_core.runs.directory import RunDirectory, find_run
from lamo_core.tasks.registry import get_task
from lamo_core.tasks.rendering.render_env import open_rendered
from lamo_core.wording import counted

if TYPE_CHECKING:
    from lamo_core.evaluation.contexts import Actor
    from lamo_core.player.policy_runner import Pilot

Loaded = tuple["Actor", RunConfig, dict[str, Any]]
"""A policy, its config, and facts about its data."""

Say = Callable[[str], None]
"""Is told what takes so long."""

REPLAY_ENDING = ".npz"


@dataclass(frozen=True)
class Wanted:
    """How a source is to be played; None takes the recorded value, or that of the training's evaluations."""

    seed: int | None = None
    target: float | None = None
    context: ContextMode | None = None
    action: ActionMode | None = None
    height: int = 240
    """Of simulator pictures in pixels."""


@dataclass
class Opened:
    """An episode with what is known of where it comes from."""

    episode: ShownEpisode
    label: str
    """Such as `atari-breakout-1pct s0, step 900`."""
    source: str
    wanted: Wanted
    recorded: bool
    targets: tuple[float, ...] = ()
    """Returns that the training data suggest to ask for."""
    clipped: bool = False
    meta: dict[str, str | float] = field(default_factory=dict)
    """What a replay file of it would say beside the episode."""
    policy_at: Path | None = None
    """A checkpoint for a record to go on with, loaded when it is needed."""
    policy_note: str = ""


@dataclass
class Opener:
    """Opens sources; policies that were loaded once are used again."""

    device: str = "cpu"
    root: Path | None = None
    _policies: dict[tuple[Path, float], Loaded] = field(default_factory=dict)

    def open(self, source: str, wanted: Wanted, say: Say) -> Opened:
        """Open a file or a run; raises the `LamoError` that says why it cannot be played."""
        path = find_source(source, self.root)
        if path.suffix == REPLAY_ENDING:
            return self._open_record(path, wanted)
        return self._open_live(path, wanted, say)

    def add_policy(self, opened: Opened, say: Say) -> None:
        """Give a record the policy of its run; raises `UsageError` where there is none."""
        if opened.policy_at is None:
            raise UsageError("this record has no policy beside it; take the controls yourself, or open a checkpoint")
        policy, config, _ = self.load(opened.policy_at, say)
        say(f"showing the policy the past of {counted(len(opened.episode), 'decision')}")
        opened.episode.attach(self._pilot(policy, config, opened.wanted, opened.episode.seed))

    def go_live(self, opened: Opened, path: Path, loaded: Loaded, say: Say) -> Opened:
        """Return an episode that was opened from a record as one that the policy of `path` plays from here on."""
        policy, config, facts = loaded
        episode, wanted = opened.episode, opened.wanted
        pilot = self._pilot(policy, config, wanted, episode.seed)
        say(f"showing the policy the past of {counted(episode.at, 'decision')}")
        episode.go_on(pilot)
        return _live(path, episode, pilot, config, facts, wanted)

    def open_record(self, path: Path, wanted: Wanted) -> Opened:
        """Open a recorded episode; raises the `LamoError` that says why it cannot be played."""
        return self._open_record(path, wanted)

    def _open_record(self, path: Path, wanted: Wanted) -> Opened:
        replay = load_replay(path)
        episode = replay.episode
        clipped = str(replay.meta.get("rewards", "raw")) == "clipped"
        shown = open_rendered(replay.task, height=wanted.height)
        played = ShownEpisode(
            replay.task,
            shown,
            seed=episode.seed,
            noops=episode.noops,
            target=episode.target,
            track=track_of(episode, clipped=clipped),
        )
        checkpoint, note = _checkpoint_of(path, replay)
        return Opened(
            played,
            record_label(path, replay),
            str(path),
            _as_recorded(wanted, replay),
            recorded=True,
            clipped=clipped,
            meta=replay.meta,
            policy_at=checkpoint,
            policy_note=note,
        )

    def _open_live(self, path: Path, wanted: Wanted, say: Say) -> Opened:
        policy, config, facts = self.load(path, say)
        targets = tuple(float(value) for value in facts.get("targets", ()))
        target = wanted.target if wanted.target is not None else targets[0] if targets else 0.0
        seed = config.eval.seed if wanted.seed is None else wanted.seed
        pilot = self._pilot(policy, config, wanted, seed)
        say("starting the game")
        played = ShownEpisode(
            config.task,
            open_rendered(config.task, height=wanted.height),
            seed=seed,
            noops=starting_noops(config.task, seed),
            target=target,
            pilot=pilot,
            track=Track(clipped=config.paid == "clipped"),
        )
        return _live(path, played, pilot, config, facts, wanted)

    def load(self, path: Path, say: Say) -> Loaded:
        """Return the policy of a checkpoint; raises the `LamoError` that says why it cannot be loaded."""
        key = path.resolve(), path.stat().st_mtime if path.is_file() else 0.0
        if key not in self._policies:
            say("loading PyTorch")
            from lamo_core.training.checkpoint import load_policy
            from lamo_core.training.device import resolve_device

            say(f"loading {path.name}")
            while len(self._policies) > 1:  # two side by side, no more
                self._policies.pop(next(iter(self._policies)))
            gc.collect()  # modules refer to each other in circles, and the size of tensors does not hurry the collector
            self._policies[key] = load_policy(path, resolve_device(self.device))
        return self._policies[key]

    def _pilot(self, policy: Actor, config: RunConfig, wanted: Wanted, seed: int) -> Pilot:
        from lamo_core.player.policy_runner import Pilot

        context, action = wanted.context or config.eval.context, wanted.action or config.eval.action
        return Pilot(policy, context=context, action=action, seed=seed)


def _live(
    path: Path, episode: ShownEpisode, pilot: Pilot, config: RunConfig, facts: Mapping[str, Any], wanted: Wanted
) -> Opened:
    """Return an episode that a policy plays, with what is known of it."""
    name, step = f"{config.name} s{config.seed}", int(facts.get("step", 0))
    return Opened(
        episode,
        f"{name}, step {step}",
        str(path),
        wanted,
        recorded=False,
        targets=tuple(float(value) for value in facts.get("targets", ())),
        clipped=config.paid == "clipped",
        meta={
            "name": name,
            "step": step,
            "rewards": config.paid,
            "context": pilot.mode,
            "action": wanted.action or config.eval.action,
        },
    )


def wanted_of(command: Mapping[str, Any]) -> Wanted:
    """Return what an `open` command asks for; raises `ValueError` at values that are not numbers."""
    values = {name: command[name] for name in ("seed", "target", "context", "action", "height") if command.get(name)}
    if command.get("seed") is not None:
        values["seed"] = int(command["seed"])
    if command.get("target") is not None:
        values["target"] = float(command["target"])
    return Wanted(**values)


def find_source(text: str, root: Path | None = None) -> Path:
    """Return the file that is meant: a replay, a checkpoint, the newest of either in a run, or a policy on the hub.

    Raises `UsageError`, and as `fetch_policy` does.
    """
    path = Path(text)
    if path.suffix in (".pt", REPLAY_ENDING):
        if not path.is_file():
            raise UsageError(f"there is no file {path}; `lamo runs` lists what has been trained")
        return path
    if path.is_file():
        raise UsageError(f"{path} is neither a checkpoint (.pt) nor a replay ({REPLAY_ENDING})")
    if means_repository(text):
        return fetch_policy(text)
    run = find_run(text, root)
    return source_of_run(run)


def source_of_run(run: RunDirectory) -> Path:
    """Return a run's newest checkpoint, else its newest replay; raises `UsageError` when it has neither."""
    if run.last_checkpoint.is_file():
        return run.last_checkpoint
    replays = replays_of(run)
    if not replays:
        raise UsageError(f"run {run.id} has neither checkpoint nor replay yet; wait for its first evaluation")
    return replays[-1]


def replays_of(run: RunDirectory) -> list[Path]:
    """Return a run's recorded episodes, in the order of their names, which begin with the step."""
    return sorted(run.replays.glob(f"*{REPLAY_ENDING}"))


def starting_noops(config: TaskConfig, seed: int) -> int:
    """Return the no-op decisions that an evaluation's episode of `seed` starts with."""
    if get_task(config.name).observation != "frames":
        return 0
    from lamo_core.tasks.atari.atari_batch import noop_start

    return noop_start(seed, config.noop_max)


def record_label(path: Path, replay: Replay) -> str:
    """Return a few words about a record."""
    step = replay.meta.get("step")
    name = replay.meta.get("name") or path.stem
    return f"{name}, step {int(step)}" if isinstance(step, int | float) else str(name)


def _as_recorded(wanted: Wanted, replay: Replay) -> Wanted:
    """Return how a record goes on: as it was played, where nothing else was asked for."""
    contexts: dict[object, ContextMode] = {"sliding": "sliding", "chunked": "chunked"}
    actions: dict[object, ActionMode] = {"sample": "sample", "greedy": "greedy"}
    context = wanted.context or contexts.get(replay.meta.get("context"))
    return replace(wanted, context=context, action=wanted.action or actions.get(replay.meta.get("action")))


def _checkpoint_of(path: Path, replay: Replay) -> tuple[Path | None, str]:
    """Return the checkpoint that a record of a run can go on with, and how it differs from the one that played."""
    if path.parent.name != "replays":
        return None, ""
    folder, step = path.resolve().parents[1] / "checkpoints", replay.meta.get("step")
    if isinstance(step, int | float) and (folder / f"{int(step):06d}.pt").is_file():
        return folder / f"{int(step):06d}.pt", ""
    for name in ("best.pt", "last.pt"):
        if (folder / name).is_file():
            return folder / name, f"goes on with {name}: the checkpoint that played is gone"
    return None, ""
