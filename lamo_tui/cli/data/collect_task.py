"""Data sets recorded from a task: random play, a checkpoint's, or the learning history of a library's algorithm."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamo_core.config import RunConfig, TaskConfig
from lamo_core.data.collect.recorders import Episode, open_recorder
from lamo_core.data.collect.sets import check_name, set_name, write_set
from lamo_core.data.collect.stable_baselines import learn_and_record
from lamo_core.data.collect.tasks import enough, random_episodes
from lamo_core.data.store.bundled_vectors import collected_folder
from lamo_core.errors import LamoError, UsageError
from lamo_core.evaluation.collect_policy import policy_episodes
from lamo_core.runs.manage import find_checkpoint
from lamo_core.training.checkpoint import load_policy
from lamo_core.training.device import resolve_device
from lamo_core.wording import counted
from lamo_tui.cli.output import console
from lamo_tui.cli.progress import progress

PACKED = ("episodes", "transitions", "log_bytes", "log_sha256")
"""What a card says about the packed set."""
_RANDOM = "random"


@dataclass(frozen=True)
class Asked:
    """What is to be recorded."""

    task: str
    name: str
    transitions: int
    episodes: int | None
    """How many of them instead of `transitions`."""
    seed: int
    out: Path | None

    @property
    def amount(self) -> str:
        """The option that says how much."""
        return f"--transitions {self.transitions}" if self.episodes is None else f"--episodes {self.episodes}"

    def config(self) -> TaskConfig:
        """Return the task with its usual settings; raises `UsageError` for a name that none has."""
        return RunConfig.from_dict({"task": {"name": self.task}}).task

    def named(self, ending: str) -> str:
        """Return the set's name, which ends so unless the user gave one; raises `UsageError` for a bad one."""
        name = self.name or set_name(self.task, ending)
        check_name(name)
        return name

    def write(self, name: str, config: TaskConfig, episodes: list[Episode], **facts: str) -> dict[str, Any]:
        """Write the set and return what `lamo data collect` tells of it."""
        folder = self.out or collected_folder()
        card = write_set(name, config, episodes, folder, **facts)
        return {"set": name, "folder": str(folder), "mean_return": card["returns"]["mean"]} | {
            key: card[key] for key in PACKED
        }


_Recorded = tuple[dict[str, Any], LamoError | None]
"""What was recorded, and what ended it early."""


def record_play(asked: Asked, policy: str) -> _Recorded:
    """Record random play, or a checkpoint of ours."""
    config = asked.config()
    name = asked.named(_RANDOM if policy == _RANDOM else "policy")
    command = f"lamo data collect {asked.task} --policy {policy} {asked.amount} --seed {asked.seed}"
    if policy == _RANDOM:
        recorder = open_recorder(config)
        played = random_episodes(recorder, asked.seed)
        source, how = "nobody: random actions", "uniformly random actions"
    else:
        config, played, source = _checkpoint_episodes(asked, policy)
        how = "played as evaluations play, one return target after the other"
    if asked.episodes is None:
        episodes, error = _gathered(enough(played, asked.transitions), asked.transitions, lambda one: len(one.rewards))
    else:
        episodes, error = _gathered(itertools.islice(played, asked.episodes), asked.episodes, lambda one: 1)
    _keep_whole(episodes, error)
    return asked.write(name, config, episodes, source=source, how=how, command=command), error


def _checkpoint_episodes(asked: Asked, policy: str) -> tuple[TaskConfig, Iterator[Episode], str]:
    path = find_checkpoint(policy)
    actor, trained, facts = load_policy(path, resolve_device("auto"))
    if trained.task.name != asked.config().name:
        raise UsageError(f"{path} was trained for {trained.task.name}, not for {asked.task}; name that task")
    recorder = open_recorder(trained.task)
    played = policy_episodes(actor, trained, tuple(facts["targets"]), recorder, asked.seed)
    return trained.task, played, f"a policy of this lamo: {trained.name}, step {facts['step']:,}"


def _gathered(
    episodes: Iterator[Episode], wanted: int, size: Callable[[Episode], int]
) -> tuple[list[Episode], LamoError | None]:
    """Return whole episodes, and what ended the play before there were enough; `size` is what each adds to what is
    wanted."""
    kept: list[Episode] = []
    total, error = 0, None
    with progress() as report:
        try:
            for episode in episodes:
                kept.append(episode)
                total += size(episode)
                report("collecting", min(total, wanted), wanted)
        except KeyboardInterrupt:
            console().print(f"interrupted; keeping {counted(len(kept), 'episode')}")
        except LamoError as found:
            error = found
    return kept, error


def _keep_whole(episodes: list[Episode], error: LamoError | None) -> None:
    """Say that an error leaves a smaller set; raises it where there is none at all."""
    if error is not None and not episodes:
        raise error
    if error is not None:
        console().print(f"stopped early, by an error; keeping the {counted(len(episodes), 'episode')} that are whole")


def record_training(asked: Asked, algorithm: str, steps: int) -> _Recorded:
    """Record the whole learning history of a policy that a library trains."""
    config = asked.config()
    name = asked.named(f"{algorithm}-replay")
    with progress() as report:
        tell: Callable[[int], None] = lambda done: report("training", done, steps)  # noqa: E731
        history = learn_and_record(
            config, algorithm, steps=steps, seed=asked.seed, first_seed=asked.seed, progress=tell
        )
    _keep_whole(history.episodes, history.error)
    if history.steps < steps and history.error is None:
        kept = counted(len(history.episodes), "episode")
        console().print(f"interrupted after {counted(history.steps, 'step')}; keeping {kept}")
    command = f"lamo data collect {asked.task} --train {algorithm} --steps {steps} --seed {asked.seed}"
    how = (
        f"every finished episode of {algorithm.upper()}'s {counted(history.steps, 'step')} of learning; the card tells "
        "its tenths apart"
    )
    source = f"stable-baselines3's {algorithm.upper()}, trained for this set"
    return asked.write(name, config, history.episodes, source=source, how=how, command=command), history.error
