"""`lamo data collect`: play episodes and record them as a data set."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lamo_core.config import RunConfig
from lamo_core.errors import LamoError, UsageError
from lamo_core.runs.manage import find_checkpoint
from lamo_core.wording import counted
from lamo_tui.cli.output import console, emit_json, say
from lamo_tui.cli.progress import progress
from lamo_tui.format import file_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from lamo_core.config import TaskConfig
    from lamo_core.data.collect.recorders import Episode

COLLECT_EPILOG = (
    "Examples:  lamo data collect gym:CartPole-v1 --policy random --transitions 10000   ·   "
    "lamo data collect atari-freeway --train dqn --steps 200000   ·   "
    "lamo data collect kitchen-complete --out collected"
)
_PACKED = ("episodes", "transitions", "log_bytes", "log_sha256")
"""What a card says about the packed set."""
_USUAL_TRANSITIONS = 10_000
_RANDOM = "random"


def collect(
    name: Annotated[
        str,
        typer.Argument(
            help="A set with a recipe, such as breakout-medium; or, with --policy or --train, a task: gym:ID for any "
            "environment of Gymnasium, atari-GAME for any game, or one of lamo's own.",
            metavar="SET|TASK",
        ),
    ],
    policy: Annotated[
        str | None, typer.Option(metavar="random|CKPT", help="Who plays TASK: random actions, a checkpoint, or a run.")
    ] = None,
    train: Annotated[
        str | None,
        typer.Option(metavar="ppo|sac|dqn", help="Train a policy on TASK and record its whole learning history."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="With --train: decisions to learn from.")] = 100_000,
    transitions: Annotated[
        int,
        typer.Option(
            min=0, show_default=False, help="Whole episodes until there are so many [default: 10000, or the recipe's]."
        ),
    ] = 0,
    episodes: Annotated[
        int | None,
        typer.Option(min=1, help="So many whole episodes instead; for --policy and recipes of vectors."),
    ] = None,
    as_name: Annotated[str, typer.Option("--name", help="Name of the new set [default: task and policy].")] = "",
    seed: Annotated[int, typer.Option(min=0, max=2**30, help="Of the first episode, and of the training.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Folder for the set [default: where data.set=NAME finds it]; recipes need one."
        ),
    ] = None,
    policies: Annotated[
        Path, typer.Option(help="Recipes: folder of the behaviour policies' .npz files; scripted sets need none.")
    ] = Path(),
    shard: Annotated[str, typer.Option(help="Atari recipes: I/N plays every N-th episode from I on.")] = "0/1",
    games: Annotated[int, typer.Option(min=1, help="Atari recipes: games that one process plays at once.")] = 32,
    pack: Annotated[bool, typer.Option(help="Recipes: write the set's file and its card at the end.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Play a task and record the episodes as a set. It is trained on with data.set=NAME.

    Recipes go on where they were stopped. Ctrl-C ends --policy and --train early and keeps whole episodes.
    Atari recipes can be shared by processes: with several shards, --transitions counts for each; give --no-pack to all
    but the last that runs (lamo data collect pong-medium --policies weights --out collected --shard 0/2).
    """
    if episodes is not None:
        _check_episodes(name, transitions, policy, train)
    error: LamoError | None = None
    if policy is not None or train is not None:
        if policy is not None and train is not None:
            raise UsageError("give either --policy or --train")
        asked = _Asked(name, as_name, transitions or _USUAL_TRANSITIONS, episodes, seed, out)
        recorded = _collect_task(asked, policy) if policy is not None else _collect_training(asked, str(train), steps)
        result, error = recorded
    else:
        result = _collect_recipe(name, policies, out, transitions, episodes or 0, shard, games, pack)
    if as_json:
        emit_json(result)
    else:
        _say(result, out)
    if error is not None:
        raise error


def _check_episodes(name: str, transitions: int, policy: str | None, train: str | None) -> None:
    """Refuse a number of episodes where something else says how much is recorded."""
    from lamo_core.data.recipes.mixtures import MIXTURES

    if transitions:
        raise UsageError("give --episodes or --transitions, not both: either says how much is recorded")
    if train is not None:
        raise UsageError("--train records every episode of the training; say its length with --steps, not --episodes")
    if policy is None and name in MIXTURES:
        raise UsageError(f"the recipe of {name} mixes policies by transitions; give --transitions, not --episodes")


def _say(result: dict[str, Any], out: Path | None) -> None:
    """Print what was recorded, and how to train on it; a recipe's part that is not packed yet has only counts."""
    count = {name: result.get(name, result.get(f"new_{name}", 0)) for name in ("episodes", "transitions")}
    parts = [f"{counted(count['episodes'], 'episode')} with {counted(count['transitions'], 'transition')}"]
    parts += [f"mean return {result['mean_return']:,.4g}"] if "mean_return" in result else []
    parts += [file_size(result["log_bytes"])] if "log_bytes" in result else []
    say(f"{result['set']}: {', '.join(parts)}" + (f" in {result['folder']}" if "folder" in result else ""))
    if out is None:
        console().print(f"train on it with: lamo train --set data.set={result['set']}", markup=False)


@dataclass(frozen=True)
class _Asked:
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
        return RunConfig.from_dict({"task": {"name": self.task}}).task

    def named(self, ending: str) -> str:
        from lamo_core.data.collect.sets import check_name, set_name

        name = self.name or set_name(self.task, ending)
        check_name(name)
        return name

    def write(self, name: str, config: TaskConfig, episodes: list[Episode], **facts: str) -> dict[str, Any]:
        from lamo_core.data.collect.sets import write_set
        from lamo_core.data.store.bundled_vectors import collected_folder

        folder = self.out or collected_folder()
        card = write_set(name, config, episodes, folder, **facts)
        return {"set": name, "folder": str(folder), "mean_return": card["returns"]["mean"]} | {
            key: card[key] for key in _PACKED
        }


_Recorded = tuple[dict[str, Any], LamoError | None]
"""What was recorded, and what ended it early."""


def _collect_task(asked: _Asked, policy: str) -> _Recorded:
    """Record random play, or a checkpoint of ours."""
    from lamo_core.data.collect.recorders import open_recorder
    from lamo_core.data.collect.tasks import enough, random_episodes

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


def _checkpoint_episodes(asked: _Asked, policy: str) -> tuple[TaskConfig, Iterator[Episode], str]:
    from lamo_core.data.collect.recorders import open_recorder
    from lamo_core.evaluation.collect_policy import policy_episodes
    from lamo_core.training.checkpoint import load_policy
    from lamo_core.training.device import resolve_device

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
    from lamo_tui.format import counted

    if error is not None and not episodes:
        raise error
    if error is not None:
        console().print(f"stopped early, by an error; keeping the {counted(len(episodes), 'episode')} that are whole")


def _collect_training(asked: _Asked, algorithm: str, steps: int) -> _Recorded:
    """Record the whole learning history of a policy that a library trains."""
    from lamo_core.data.collect.stable_baselines import learn_and_record

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


def _collect_recipe(
    name: str, policies: Path, out: Path | None, transitions: int, episodes: int, shard: str, games: int, pack: bool
) -> dict[str, Any]:
    from lamo_core.data.recipes.vector_recipes import RECIPES

    _refuse_tasks(name)
    if out is None:
        raise UsageError("a recipe needs a folder for its episodes; give --out FOLDER")
    if name in RECIPES:
        return _collect_vectors(name, policies, out, transitions, episodes, pack)
    return _collect_atari(name, policies, out, transitions or 1_000_000, _parse_shard(shard), games, pack)


def _refuse_tasks(name: str) -> None:
    """Say what is missing when a task is named and nobody who plays it."""
    from lamo_core.data.recipes.mixtures import MIXTURES
    from lamo_core.data.recipes.vector_recipes import RECIPES

    if name in RECIPES or name in MIXTURES:
        return
    known = ", ".join([*MIXTURES, *RECIPES])
    raise UsageError(
        f"there is no recipe to collect {name!r}; to record a task say who plays it, such as --policy random (recipes: "
        f"{known})"
    )


def _collect_atari(
    name: str, policies: Path, out: Path, transitions: int, shard: tuple[int, int], games: int, pack: bool
) -> dict[str, Any]:
    from lamo_core.data.recipes.collect_atari import Collector
    from lamo_core.data.recipes.mixtures import get_mixture
    from lamo_core.data.recipes.pack import pack_set

    mixture = get_mixture(name)
    collector = Collector(mixture, policies, out / "episodes", shard=shard, slots=games)
    total, episodes = 0, 0
    with progress() as report, _going_on_later(out):
        for episode in collector.collect(transitions):
            total, episodes = total + len(episode.actions), episodes + 1
            report("collecting", min(total, transitions), transitions)
    result: dict[str, Any] = {"set": name, "new_episodes": episodes, "new_transitions": total}
    if pack:
        card = pack_set(mixture, out / "episodes", out, transitions)
        result.update({key: card[key] for key in _PACKED})
    return result


def _collect_vectors(
    name: str, policies: Path, out: Path, transitions: int, episodes: int, pack: bool
) -> dict[str, Any]:
    from lamo_core.data.recipes.collect_vectors import collect_vectors, pack_vectors
    from lamo_core.data.recipes.vector_recipes import get_recipe
    from lamo_core.tasks.registry import get_task
    from lamo_core.tasks.requirements import require_environment

    recipe = get_recipe(name)
    require_environment(get_task(recipe.task))
    wanted = 0 if episodes else transitions or recipe.transitions
    kept = []
    total = 0
    played = collect_vectors(
        recipe, recipe.player(policies), out / "episodes", transitions=transitions, episodes=episodes
    )
    with progress() as report, _going_on_later(out):
        for episode in played:
            kept.append(episode)
            total += len(episode.rewards)
            done, goal = (total, wanted) if wanted else (len(kept), episodes or recipe.episodes)
            report("collecting", min(done, goal), goal)
    if not pack:
        return {"set": name, "episodes": len(kept), "transitions": total}
    card = pack_vectors(recipe, kept, out)
    return {"set": name} | {key: card[key] for key in _PACKED}


@contextmanager
def _going_on_later(out: Path) -> Iterator[None]:
    """Say what becomes of the episodes of a recipe that an error ends."""
    try:
        yield
    except LamoError:
        console().print(f"whole episodes stay in {out / 'episodes'}; the same command goes on from there", markup=False)
        raise


def _parse_shard(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise UsageError(f"--shard wants I/N with I from 0 to N - 1, such as 0/2, not {text!r}")
    return int(index), int(count)
