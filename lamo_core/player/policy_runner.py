"""A policy that decides in one episode, and whose memory of it can be kept and come back.

Shape suffixes: A actions.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lamo_core.config import ContextMode
from lamo_core.errors import LamoError
from lamo_core.evaluation.attention import watch_attention
from lamo_core.evaluation.attention_weights import Attention
from lamo_core.evaluation.contexts import Actor, Context, make_context, played_mode
from lamo_core.evaluation.rollout_spec import action_chances, action_stream, draw_actions
from lamo_core.evaluation.scores import ActionMode
from lamo_core.tasks.environment import Array


class Pilot:
    """Decides as an evaluation does: the same seed, target, context and weights give the same episode on a CPU."""

    def __init__(self, policy: Actor, *, context: ContextMode, action: ActionMode, seed: int, label: str = "") -> None:
        self.policy, self.action, self.label = policy, action, label
        self.mode = played_mode(context, policy)
        self.discrete = policy.task.action_kind == "discrete"
        self.fed = 0
        """Steps of the episode that the context has seen."""
        self.predicted = math.nan
        """What the policy predicts where it saw last; NaN when it learns nothing of the kind."""
        self._context: Context = make_context(context, policy)
        self._device = next(policy.parameters()).device
        self._watch = watch_attention(policy)
        self._stream, self._drawn = action_stream(seed), list[float]()
        # what copies of a context share with it
        self._shared = {id(part): part for part in (*policy.modules(), *policy.parameters(), *policy.buffers())}
        policy.eval()

    def see(self, observation: Array, asked: float, previous: Any) -> NDArray[np.float32]:
        """Add the next step to the context and return the logits or action means (A,) that it leads to.

        `asked` is the return-to-go, `previous` what was done at the step before (None at the first). Raises
        `LamoError` when the outputs are no finite numbers.
        """
        with torch.inference_mode():
            seen = torch.from_numpy(np.ascontiguousarray(observation[None])).to(self._device)
            out_NA = self._context.decide(
                seen,
                torch.tensor([asked / self.policy.return_scale], dtype=torch.float32, device=self._device),
                None if previous is None else self._action_tensor(previous),
            )
            told_N = self.policy.predict_value(seen)
        self.predicted = math.nan if told_N is None else float(told_N[0])
        self.fed += 1
        out_A = np.asarray(out_NA[0].float().cpu().numpy())
        if not np.isfinite(out_A).all():
            raise LamoError("the policy's outputs are not finite numbers; use an earlier checkpoint of its run")
        return out_A

    def choose(self, out_A: NDArray[np.float32], at: int) -> tuple[Any, NDArray[np.float32]]:
        """Return the action for decision `at`, and the probabilities or action values (A,) behind it.

        The random number belongs to the decision: whoever comes back to it draws the same one.
        """
        if not self.discrete:
            means_A = np.clip(out_A, -1.0, 1.0)
            return means_A, means_A
        chances_MA = action_chances(out_A[None])
        if self.action == "greedy":
            return int(out_A.argmax()), chances_MA[0].astype(np.float32)
        while len(self._drawn) <= at:
            self._drawn.append(self._stream.random())
        return int(draw_actions(chances_MA, np.array([self._drawn[at]]))[0]), chances_MA[0].astype(np.float32)

    @property
    def heads(self) -> tuple[int, int] | None:
        """How many layers it has attention of, and heads in each; None where it looks at nothing that can be shown."""
        return None if self._watch is None else (self._watch.layers, self._watch.heads)

    def attention(self) -> Attention | None:
        """Return where the newest decision looked; None where that is not known."""
        return None if self._watch is None else self._watch.take()

    def memory(self) -> Any:
        """Return a copy of what the policy remembers now."""
        return self.fed, self._copied(self._context)

    def remember(self, memory: Any | None) -> None:
        """Go back to what `memory` returned; None is the beginning of the episode."""
        if memory is None:
            self.fed, self._context = 0, make_context(self.mode, self.policy)
        else:
            self.fed, self._context = memory[0], self._copied(memory[1])

    def _copied(self, context: Context) -> Context:
        with torch.inference_mode():
            return copy.deepcopy(context, dict(self._shared))

    def _action_tensor(self, action: Any) -> torch.Tensor:
        if self.discrete:
            return torch.tensor([action], dtype=torch.int64, device=self._device)
        return torch.from_numpy(np.asarray(action, np.float32)[None]).to(self._device)
