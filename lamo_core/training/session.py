"""A training session: everything that a run needs in memory, built from its config or from a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lamo_core.baselines.make import make_markov_policy
from lamo_core.config import RunConfig
from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.open_data import open_data, open_unseen
from lamo_core.data.target_coverage import return_scale
from lamo_core.errors import CheckpointError
from lamo_core.evaluation.contexts import Actor
from lamo_core.evaluation.targets import choose_targets
from lamo_core.language.blocks import open_blocks
from lamo_core.methods import METHODS, require_fit
from lamo_core.model.backbone import load_backbone
from lamo_core.model.embeddings import FrameEmbedding, PixelStatistics
from lamo_core.model.extras.alignment import word_clusters
from lamo_core.model.hub import require_model
from lamo_core.model.policy import Policy, PolicyStatistics
from lamo_core.model.trunk_settings import check_settings
from lamo_core.tasks.registry import task_of
from lamo_core.tasks.requirements import require_environment
from lamo_core.tasks.task import Task
from lamo_core.training.averaging import WeightAverage, load_newest_weights, newest_weights
from lamo_core.training.best_weights import BestWeights
from lamo_core.training.checkpoint import (
    Checkpoint,
    build_policy,
    fresh_policy,
    read_checkpoint,
    trained_weights,
    write_checkpoint,
)
from lamo_core.training.device import resolve_device
from lamo_core.training.learner import Learner
from lamo_core.training.markov_learner import MarkovLearner
from lamo_core.training.micro_batches import with_micro_batches
from lamo_core.training.sequence_learner import SequenceLearner
from lamo_core.training.streams import stream_seed
from lamo_core.wording import counted

Progress = Callable[[str, int, int], None]

_FRAMES_FOR_STATISTICS = 2_000
_SPREAD_FLOOR = 0.1


@dataclass
class Session:
    """A run in memory; `training.loop` advances it step by step."""

    config: RunConfig
    task: Task
    learner: Learner
    device: torch.device
    data: dict[str, Any]
    """Facts about the data that go into the checkpoint: set, episodes, transitions, mean return, targets."""
    targets: tuple[float, ...]
    step: int = 0
    evaluated_step: int = -1
    """Last step whose evaluation is done or has failed, so that a resumed run neither repeats nor skips one."""
    saved_step: int = -1
    """Last step whose whole state is the newest one saved."""
    best_return: float = -np.inf
    average: WeightAverage | None = None
    kept: BestWeights | None = None
    """The weights of the best step on what is held out, where such a step is kept."""
    again: Callable[[], Session] | None = None
    """Begins the same run anew with nothing held out, where the ends of a few episodes are."""
    notes: tuple[str, ...] = ()
    """What a resumed run does otherwise than it did before."""
    whole: bool = True
    """False while an optimiser step changes the state, and for good if that breaks off."""

    @property
    def policy(self) -> Actor:
        """What acts."""
        return self.learner.policy

    @property
    def trunk_notes(self) -> tuple[str, ...]:
        """What of the trunk runs otherwise than in most, in a few words each."""
        return self.policy.backbone.notes if isinstance(self.policy, Policy) else ()

    def averaged(self) -> AbstractContextManager[None]:
        """Let the policy hold the average of its weights for a while, if the run keeps one."""
        return self.average.applied() if self.average else nullcontext()

    def acting(self) -> AbstractContextManager[None]:
        """Let the policy hold for a while what acts and is saved: the best step's weights, the average, or its own."""
        return self.kept.applied() if self.kept and self.kept.step >= 0 else self.averaged()

    @contextmanager
    def same_random_numbers(self) -> Iterator[None]:
        """Let what is done within draw as it likes: the session goes on as if nothing had been drawn."""
        before = self._random_state()
        try:
            yield
        finally:
            self._put_random_state(before)

    @contextmanager
    def undone_if_it_fails(self) -> Iterator[Callable[[], None]]:
        """Put the random numbers back, and drop gradients, if what is done within breaks off before weights change.

        So what was trained until then can be saved, and goes on as if nothing had happened. Yields what does so, for an
        update that turns out to have been skipped.
        """
        before = self._random_state(), self.learner.state_dict()

        def undo() -> None:
            self.whole = False
            self._put_random_state(before[0])
            self.learner.load_state_dict(before[1])
            self.learner.optimiser.zero_grad()
            self.whole = True

        try:
            yield undo
        except BaseException:
            undo()
            raise

    def trainable(self) -> tuple[int, int]:
        """Return the numbers of trained parameters and of frozen ones."""
        counts = [0, 0]
        for parameter in self.policy.parameters():
            counts[not parameter.requires_grad] += parameter.numel()
        return counts[0], counts[1]

    def checkpoint(self, *, training: bool = True) -> Checkpoint:
        """Return the session's state; without `training` only what acting needs."""
        with self.acting():
            weights = trained_weights(self.policy)
        return Checkpoint(
            config=self.config,
            step=self.step,
            backbone_name=self.learner.backbone[0],
            backbone_hash=self.learner.backbone[1],
            statistics=self.policy.statistics,
            data=self.data,
            weights=weights,
            training=self._training_state() if training else None,
        )

    def save(self, path: Path, *, training: bool = True) -> None:
        """Write a checkpoint; raises `StorageError`."""
        write_checkpoint(path, self.checkpoint(training=training))

    def _random_state(self) -> dict[str, Any]:
        cuda = self.device.type == "cuda"
        return {
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self.device) if cuda else None,
        }

    def _put_random_state(self, state: Mapping[str, Any]) -> None:
        torch.set_rng_state(state["torch"])
        if self.device.type == "cuda" and state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"], self.device)

    def _training_state(self) -> dict[str, Any]:
        return {
            **self.learner.state_dict(),
            "optimiser": self.learner.optimiser.state_dict(),
            "newest_weights": newest_weights(self.policy) if self.average or self.kept else None,
            "held_out": self._held_out_state(),
            **self._random_state(),
            "threads": torch.get_num_threads(),
            "evaluated_step": self.evaluated_step,
            "best_return": float(self.best_return),
        }

    def _held_out_state(self) -> dict[str, Any] | None:
        if self.kept is None:
            return None
        with self.averaged():
            return {**self.kept.state_dict(), "average": newest_weights(self.policy) if self.average else None}

    def _restore_held_out(self, state: Mapping[str, Any] | None) -> None:
        if self.kept is None or state is None:
            return
        self.kept.load_state_dict(state)
        if self.average:
            with self.averaged():
                load_newest_weights(self.policy, state["average"])

    def _restore(self, state: dict[str, Any]) -> None:
        try:
            self.learner.optimiser.load_state_dict(state["optimiser"])
            self.learner.load_state_dict(state)
            self._restore_held_out(state.get("held_out"))  # older versions had none
            if state["newest_weights"] is not None:
                load_newest_weights(self.policy, state["newest_weights"])
            self._put_random_state(state)
            self.evaluated_step = int(state["evaluated_step"])
            self.best_return = float(state["best_return"])
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
            raise CheckpointError(f"the training state of this checkpoint is damaged: {error}") from error


def new_session(config: RunConfig, progress: Progress | None = None) -> Session:
    """Build a session from a config; opens (and at first use prepares) data and backbone."""
    task, store, unseen = _open(config, progress)
    return session_on(config, task, store, unseen)


def session_on(config: RunConfig, task: Task, store: EpisodeStore, unseen: EpisodeStore | None = None) -> Session:
    """Build a session around episodes that are given, such as made-up ones."""
    device = resolve_device(config.device)
    torch.manual_seed(stream_seed(config.seed, "initialisation"))
    statistics = _statistics(config, task, store)
    learner: SequenceLearner | MarkovLearner
    if METHODS[config.method].memory:
        learner = _new_sequence(config, statistics, store, unseen, device)
        config = with_micro_batches(config, learner.policy.width, device.type)
    else:
        policy = make_markov_policy(config, statistics, _pixels(config, task, store)).to(device)
        learner = MarkovLearner(config, policy, store, device, unseen)
    session = _assemble(config, task, store, learner, device)
    torch.manual_seed(stream_seed(config.seed, "dropout"))
    return session


def _new_sequence(
    config: RunConfig,
    statistics: PolicyStatistics,
    store: EpisodeStore,
    unseen: EpisodeStore | None,
    device: torch.device,
) -> SequenceLearner:
    backbone = load_backbone(
        config.model.backbone,
        dropout=config.model.dropout,
        attention_dropout=config.model.attention_dropout,
        seed=config.seed,
    )
    # blocks first: rehearsal samples come from the backbone as it was before any training
    blocks = open_blocks(config.language, backbone, seed=config.seed) if config.language.weight > 0 else None
    policy, adapted = fresh_policy(config, backbone, statistics)
    check_settings(config.model, backbone)
    pixels = _pixels(config, policy.task, store)
    if isinstance(policy.embed_state, FrameEmbedding) and pixels is not None:
        policy.embed_state.centre(*pixels)
    if policy.alignment is not None:
        policy.alignment.centres.copy_(word_clusters(backbone, len(policy.alignment.centres), config.seed))
    return SequenceLearner(config, policy.to(device), adapted, blocks, store, device, unseen)


def resume_session(path: Path, config: RunConfig | None = None, progress: Progress | None = None) -> Session:
    """Build the session that wrote a checkpoint, to continue exactly where it stopped.

    `config` may replace the stored one with other steps, evaluations or device (`presets.override` makes it). Raises
    `CheckpointError` when the checkpoint was saved for acting only.
    """
    checkpoint = read_checkpoint(path)
    if checkpoint.training is None:
        raise CheckpointError(f"{path} was saved for acting only; resume from last.pt of the same run")
    config = config or checkpoint.config
    device = resolve_device(config.device)
    task, store, unseen = _open(config, progress)
    policy, adapted = build_policy(checkpoint, device)
    learner: Learner
    if isinstance(policy, Policy):
        blocks = None
        if config.language.weight > 0:
            fresh = load_backbone(checkpoint.backbone_name, dropout=0.0, attention_dropout=0.0, seed=config.seed)
            blocks = open_blocks(config.language, fresh, seed=config.seed)
        learner = SequenceLearner(config, policy, adapted, blocks, store, device, unseen)
        config = with_micro_batches(config, policy.width, device.type)
    else:
        learner = MarkovLearner(config, policy, store, device, unseen)
    session = _assemble(config, task, store, learner, device)
    session.step = checkpoint.step
    session._restore(checkpoint.training)
    session.notes = _differences(checkpoint, config, device)
    if config == checkpoint.config and _is_newest(path):
        session.saved_step = session.step
    return session


def _differences(checkpoint: Checkpoint, config: RunConfig, device: torch.device) -> tuple[str, ...]:
    """Return what is no longer as it was when the checkpoint was saved, and moves numbers."""
    notes, now = [], torch.get_num_threads()
    before = (checkpoint.training or {}).get("threads")  # older versions did not say
    if type(before) is int and before != now and device.type == "cpu":
        notes.append(
            f"trained on {counted(now, 'thread')} from here on, and on {before} so far: numbers may differ in "
            f"their last digits from those of an undisturbed run; OMP_NUM_THREADS={before} keeps them"
        )
    windows, windows_before = config.optim.micro_batch_size, checkpoint.config.optim.micro_batch_size
    if windows != windows_before:
        notes.append(
            f"optim.micro_batch_size is {windows} instead of {windows_before}: numbers differ from an undisturbed run's"
        )
    return tuple(notes)


def _is_newest(path: Path) -> bool:
    """Return whether a checkpoint is the one that its run would be resumed from."""
    try:
        return path.samefile(path.with_name("last.pt"))
    except OSError:
        return False


def _open(config: RunConfig, progress: Progress | None) -> tuple[Task, EpisodeStore, EpisodeStore | None]:
    """Return the task, the episodes to train on, and those left out that are to be measured."""
    task = task_of(config.task)
    require_fit(config.method, task.action_kind)
    # what is missing is said before data are prepared, and before hours of training
    if config.eval.every or config.eval.final_episodes:
        require_environment(task)
    if METHODS[config.method].memory:
        require_model(config.model.backbone)
    store, unseen = open_data(config.data, config.task, config.seed, progress), None
    if config.eval.unseen_episodes:
        unseen = open_unseen(config.data, config.task, config.seed, config.eval.unseen_episodes, progress)
    return task, store, unseen


def _assemble(config: RunConfig, task: Task, store: EpisodeStore, learner: Learner, device: torch.device) -> Session:
    returns = store.returns(config.data.rewards)
    targets = choose_targets(config.eval, returns)
    if not learner.policy.follows_targets:
        targets = targets[:1]  # the others would lead to the same episodes
    return Session(
        config=config,
        task=task,
        learner=learner,
        device=device,
        data={
            "set": store.name,
            "source": config.data.source,
            "ratio": config.data.ratio,
            "episodes": len(store.lengths),
            "transitions": int(store.transitions),
            "return_mean": float(np.mean(returns)),
            "return_min": float(np.min(returns)),
            "return_max": float(np.max(returns)),
            "digest": store.digest(),
            "targets": list(targets),
        },
        targets=targets,
        average=WeightAverage(learner.policy, config.optim.ema_decay) if config.optim.ema_decay else None,
        kept=BestWeights(learner.policy) if learner.holds_out else None,
        again=(lambda: session_on(_on_all(config), task, store)) if learner.holds_tails else None,
    )


def _on_all(config: RunConfig) -> RunConfig:
    return replace(config, checkpoint=replace(config.checkpoint, best="last"))


def _pixels(config: RunConfig, task: Task, store: EpisodeStore) -> PixelStatistics | None:
    """Return mean and spread of at most `_FRAMES_FOR_STATISTICS` frames, evenly spread, when frames are centred."""
    if task.observation != "frames" or config.model.frames != "centred":
        return None
    rows = np.unique(np.linspace(0, len(store.observations) - 1, _FRAMES_FOR_STATISTICS).astype(np.int64))
    frames = torch.from_numpy(store.observations.gather(rows)).float()
    spread = float(frames.var(0, correction=0).mean().sqrt())
    return PixelStatistics(frames.mean(0), max(spread, 1.0))


def _statistics(config: RunConfig, task: Task, store: EpisodeStore) -> PolicyStatistics:
    scale = return_scale(store, config.data.rewards, config.model.return_scale)
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    if task.observation == "vector":
        rows = np.asarray(store.observations)
        spread = state_spread(rows.std(0), floored=config.data.state_scaling == "floored")
        mean, std = tuple(map(float, rows.mean(0))), tuple(map(float, spread))
    return PolicyStatistics(scale, int(store.lengths.max()), mean, std)


def state_spread(deviations: NDArray[Any], *, floored: bool) -> NDArray[Any]:
    """Return what features (O,) are divided by: their standard deviations, but at least a share of the largest one.

    Without the floor only a division by zero is prevented, as published. With it, cloned behaviour errs less on
    episodes that it has not seen: by 16 % on 0.5 % of Hopper and 1 to 3 % on the least data of HalfCheetah, Walker2d
    and Reacher2d (four seeds each); most where many features hold little but sensor noise, as the kitchen's velocities.
    """
    if not floored:
        return np.asarray(deviations + 1e-6)
    largest = float(deviations.max())
    return np.asarray(np.maximum(deviations, _SPREAD_FLOOR * largest if largest > 0 else 1.0))
