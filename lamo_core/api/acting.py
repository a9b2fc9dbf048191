"""A loaded policy for anyone's environment loop: scaling, return-to-go, context, frame stacking and clipping inside.

Shape suffixes: N environments, M of them, O observation features, A actions.
"""

from __future__ import annotations

from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lamo_core.api.native import Native, split
from lamo_core.api.training import Run
from lamo_core.config import ContextMode, RunConfig
from lamo_core.errors import UsageError
from lamo_core.evaluation.rollout_spec import action_chances, action_stream, draw_actions
from lamo_core.evaluation.scores import ActionMode
from lamo_core.runs.manage import find_checkpoint

if TYPE_CHECKING:
    from lamo_core.evaluation.contexts import Actor

_STACK = 4
_FRAME = (84, 84)


def load_policy(
    source: Run | str | PathLike[str],
    *,
    device: str = "auto",
    context: ContextMode | None = None,
    action: ActionMode | None = None,
    seed: int | None = None,
) -> LoadedPolicy:
    """Load a policy for acting.

    Args:
        source: A checkpoint file, a `Run`, a run's id or the beginning of it, or "last"; of a run the newest
            checkpoint. `run.best_checkpoint` names the best one.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        context: "sliding" sees exactly the last K steps; "chunked" keeps them in a cache, which is faster; as the
            run's evaluations do if none is given. Methods without memory see the newest observation alone.
        action: "sample" draws discrete actions, "greedy" takes the likeliest; as the evaluations do if none is given.
        seed: Of the first episode's draws; that of the evaluations if none is given.

    Raises:
        UsageError: No such file or run, or a run without a checkpoint.
        CheckpointError: A file that is damaged, foreign, or of another version.
        MissingError: A language model that is not on this machine.
        DeviceError: A device that is absent.
    """
    from lamo_core.training.checkpoint import load_policy as load
    from lamo_core.training.device import resolve_device

    path = source.checkpoint if isinstance(source, Run) else find_checkpoint(fspath(source))
    actor, config, facts = load(path, resolve_device(device))
    return LoadedPolicy(actor, config, facts, context=context, action=action, seed=seed)


class LoadedPolicy:
    """A policy that plays: `reset` begins an episode, `act` decides.

    The same checkpoint, target, seed and observations lead to the decisions of `lamo eval`. Attributes: `task`, what it
    was trained on; `config`, how; `targets`, the returns that its data suggest to ask for; `step`, how many steps of
    training it has had.
    """

    def __init__(
        self,
        actor: Actor,
        config: RunConfig,
        facts: dict[str, Any],
        *,
        context: ContextMode | None = None,
        action: ActionMode | None = None,
        seed: int | None = None,
    ) -> None:
        self.actor, self.config, self.task = actor, config, actor.task
        self.targets: tuple[float, ...] = tuple(facts["targets"])
        self.step = int(facts["step"])
        self.context: ContextMode = context or config.eval.context
        self.action: ActionMode = action or config.eval.action
        self._seed = config.eval.seed if seed is None else seed
        self._native = Native(self.task, config.task)
        self._alone = True
        self._size = 0
        self._last_N: NDArray[Any] = np.zeros(0)

    @property
    def return_to_go(self) -> Any:
        """What is still asked for, in the unit of the data's rewards: a float, or (N,) float64 of N environments."""
        left_N = self._targets_N - self._earned_N
        return float(left_N[0]) if self._alone else left_N

    def reset(
        self,
        target: ArrayLike | None = None,
        *,
        environments: int | None = None,
        rows: ArrayLike | None = None,
        seed: int | None = None,
    ) -> None:
        """Begin an episode, or one in each of several environments.

        Args:
            target: The return to ask for, one for all or (N,), one for each; in the unit of the data's rewards. The
                first of `targets` if none is given, or what was asked for before where `rows` begin anew.
            environments: How many are played side by side; `act` then takes and gives arrays with that leading axis.
            rows: Which of them begin anew while the others go on: a mask (N,) or indices (M,). An environment that
                resets itself begins anew at the `act` that gets its new first observation.
            seed: Of the draws of actions, as of an evaluation's episode; environment i has seed + i. Episodes without
                one take the next numbers.

        Raises:
            UsageError: Rows that there are not, or another number of targets.
        """
        if rows is None:
            self._begin(1 if environments is None else environments, environments is None)
            rows_M = np.arange(self._size)
        else:
            rows_M = self._rows(rows)
        if rows_M.size == 0:
            return
        if target is not None or rows is None:
            self._targets_N[rows_M] = self._given(self.targets[0] if target is None else target, rows_M)
        self._seed = self._seed if seed is None else seed
        for row in rows_M.tolist():
            self._streams[row] = action_stream(self._seed)
            self._seed += 1
        self._earned_N[rows_M], self._fresh_N[rows_M], self._frames_N[rows_M] = 0.0, True, 0
        self._cohorts.begin(rows_M)

    def act(self, observation: Any, reward: ArrayLike = 0.0) -> Any:
        """Return the next action.

        Args:
            observation: What the environment shows now. (O,) numbers, or whatever the environment itself gives where
                the task flattens that; or a frame (84, 84) uint8, of which the newest four are kept, or four of them
                (4, 84, 84) with the newest last. With N environments each has N in front.
            reward: What the last action earned, not scaled; a number, or (N,). That of an episode's first call does not
                count, as nothing was done yet.

        Returns:
            An `int`, or (A,) numbers within the environment's bounds. Of N environments (N,) int64, or (N, A).

        Raises:
            UsageError: No `reset` before, or an observation that is not of the task.
            LamoError: Outputs that are no finite numbers.
        """
        if not self._size:
            raise UsageError("call policy.reset(target=…) before the first act of an episode")
        seen_N = self._seen([observation] if self._alone else split(observation, self._size))
        self._earn(reward)
        out_NA = self._cohorts.decide(seen_N, self._targets_N - self._earned_N, self._last_N)
        self._last_N, self._fresh_N = self._choose(out_NA), np.zeros(self._size, np.bool_)
        actions = [self._native.action(action) for action in self._last_N]
        if self.task.action_kind == "discrete":
            return int(actions[0]) if self._alone else np.array(actions, np.int64)
        return actions[0] if self._alone else np.stack(actions)

    def _begin(self, size: int, alone: bool) -> None:
        """Forget all episodes, for `size` environments."""
        from lamo_core.evaluation.cohorts import Cohorts

        if size < 1:
            raise UsageError(f"a policy plays in at least one environment, not {size}")
        discrete, frames = self.task.action_kind == "discrete", self.task.observation == "frames"
        self._alone, self._size = alone, size
        self._cohorts = Cohorts(self.actor, self.context)
        self._targets_N, self._earned_N = np.zeros(size), np.zeros(size)
        self._fresh_N = np.ones(size, np.bool_)
        self._streams = [action_stream(0)] * size
        self._frames_N = np.zeros((size, _STACK, *_FRAME) if frames else (size, 0), np.uint8)
        self._last_N = np.zeros(size, np.int64) if discrete else np.zeros((size, self.task.actions), np.float32)

    def _rows(self, rows: ArrayLike) -> NDArray[np.int64]:
        if not self._size:
            raise UsageError("call policy.reset(environments=N) before some of them begin anew")
        found = np.asarray(rows)
        if found.dtype == np.bool_ and found.shape == (self._size,):
            return np.flatnonzero(found)
        rows_M = np.unique(found).astype(np.int64)
        whole = found.size == 0 or (found.ndim == 1 and np.issubdtype(found.dtype, np.integer))
        if not whole or (rows_M.size and not 0 <= rows_M[0] <= rows_M[-1] < self._size):
            raise UsageError(f"rows are a mask of {self._size} environments, or places from 0 to {self._size - 1}")
        return rows_M

    def _given(self, target: ArrayLike, rows_M: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the targets (M,) of some environments."""
        targets = np.asarray(target, np.float64)
        if targets.shape == (self._size,):
            targets = targets[rows_M]
        if targets.shape not in ((), rows_M.shape) or not np.isfinite(targets).all():
            raise UsageError(f"a target is a finite number, or one for each environment, not {target!r}")
        return np.broadcast_to(targets, rows_M.shape)

    def _seen(self, observations: list[Any]) -> NDArray[Any]:
        """Return observations as the policy reads them: (N, O) float32 or (N, 4, 84, 84) uint8."""
        if self.task.observation == "vector":
            return np.stack([self._native.vector(observation) for observation in observations])
        for row, observation in enumerate(observations):
            self._frames_N[row] = _stacked(self._frames_N[row], observation)
        return self._frames_N

    def _earn(self, reward: ArrayLike) -> None:
        earned_N = np.asarray(reward, np.float64)
        if earned_N.shape not in ((), (self._size,)):
            raise UsageError(f"{self._size} environments give {self._size} rewards, not {earned_N.shape}")
        earned_N = np.where(self._fresh_N, 0.0, earned_N)
        self._earned_N += np.sign(earned_N) if self.config.paid == "clipped" else earned_N

    def _choose(self, out_NA: NDArray[np.float32]) -> NDArray[Any]:
        """Return the task's actions: choices (N,) int64, or (N, A) float32 in [-1, 1]."""
        if self.task.action_kind == "continuous":
            return np.clip(out_NA, -1.0, 1.0)
        if self.action == "greedy":
            return np.asarray(out_NA.argmax(axis=1))
        return draw_actions(action_chances(out_NA), np.array([stream.random() for stream in self._streams]))


def _stacked(frames: NDArray[np.uint8], observation: Any) -> NDArray[np.uint8]:
    """Return the newest four frames (4, 84, 84) after one more, or those that are given."""
    seen = np.asarray(observation)
    if seen.shape == (*_FRAME, 1):
        seen = seen[..., 0]
    if seen.dtype != np.uint8 or seen.shape not in (_FRAME, frames.shape):
        raise UsageError(
            "the policy sees grey frames (84, 84) uint8, as gymnasium's AtariPreprocessing makes them, not "
            f"{seen.shape} {seen.dtype}"
        )
    return seen if seen.shape == frames.shape else np.concatenate([frames[1:], seen[None]])
