"""What the policy sees when it decides: the last K steps, re-encoded or kept in a key-value cache.

Both contexts hold N episodes in step with each other, embed every observation once, and can drop finished
episodes. Embeddings do not depend on a token's place in the window, so a window is a row of kept tokens.

Shape suffixes: N episodes, L tokens, D width, A actions.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from lamo_core.baselines.policy import MarkovPolicy
from lamo_core.config import ContextMode
from lamo_core.model.key_values import TrunkCache
from lamo_core.model.policy import NEWEST_TOKEN, Policy

Actor = Policy | MarkovPolicy
"""What can be evaluated: a policy with memory or one without."""


class Context(Protocol):
    """The history of N episodes, from which the next actions are decided."""

    def decide(self, observations: Tensor, returns_N: Tensor, previous_actions: Tensor | None) -> Tensor:
        """Add a step and return its logits or action means, float32 (N, A).

        `observations` is (N, 4, 84, 84) uint8 or (N, features) float32, `returns_N` the scaled return-to-go,
        and `previous_actions` what was done since the last call ((N,) int64 or (N, A) float32; None at the
        first).
        """

    def keep(self, rows: Tensor) -> None:
        """Go on with these of the N episodes only: int64 indices, in the order wanted."""


class _TokenWindow:
    """The embedded tokens of the newest steps, at most `steps` of them; the last one is a state token."""

    def __init__(self, policy: Policy, steps: int) -> None:
        self.policy = policy
        self.steps = steps
        self.tokens_NLD: Tensor | None = None
        self.returns_N: Tensor | None = None
        """What is asked for at the newest step, scaled."""
        self.length = 0
        """Steps seen in all, which is also the next timestep."""

    def append(self, observations: Tensor, returns_N: Tensor, previous_actions: Tensor | None) -> Tensor:
        """Embed one step and return its new tokens: [previous action,] return if that is a token, state."""
        states_N1D = self.policy.encode_observations(observations).unsqueeze(1)
        times_N = torch.full_like(returns_N, self.length, dtype=torch.int64)
        returns_N1 = self.policy.asked_returns(returns_N.unsqueeze(1), states_N1D)
        self.returns_N = returns_N1[:, 0]
        new_NLD = self.policy.tokens(returns_N1, states_N1D, None, times_N.unsqueeze(1))
        if previous_actions is not None:
            action_N1D = self.policy.action_tokens(previous_actions, times_N - 1)
            new_NLD = torch.cat([action_N1D, new_NLD], dim=1)
        kept_NLD = new_NLD if self.tokens_NLD is None else torch.cat([self.tokens_NLD, new_NLD], dim=1)
        self.tokens_NLD = kept_NLD[:, -(self.policy.step_tokens * self.steps - 1) :]
        self.length += 1
        return new_NLD

    def newest(self) -> Tensor:
        """Return the tokens of the newest steps, from the first of a step on."""
        assert self.tokens_NLD is not None
        return self.tokens_NLD

    def read(self, hidden_N1D: Tensor) -> Tensor:
        """Return the logits or action means (N, A) that the newest token's output stands for."""
        assert self.returns_N is not None
        return self.policy.act_head(hidden_N1D[:, -1], self.returns_N).float()

    def keep(self, rows: Tensor) -> None:
        if self.tokens_NLD is not None:
            self.tokens_NLD = self.tokens_NLD[rows]


class SlidingContext:
    """Exactly the last K steps, re-encoded from scratch at every decision, as published."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.window = _TokenWindow(policy, policy.context)

    def decide(self, observations: Tensor, returns_N: Tensor, previous_actions: Tensor | None) -> Tensor:
        self.window.append(observations, returns_N, previous_actions)
        hidden_N1D, _ = self.policy.run_trunk(self.window.newest(), places=NEWEST_TOKEN)
        return self.window.read(hidden_N1D)

    def keep(self, rows: Tensor) -> None:
        self.window.keep(rows)


class ChunkedContext:
    """Between K/2 and K steps through a key-value cache: a decision costs one step's tokens instead of K times as many.

    While an episode is shorter than K steps this equals `SlidingContext`. When the cache holds K steps, the
    next decision starts it again from the newest K/2 steps (its own included); positions start at 0 again.
    Sliding the cache itself would not do: keys of deeper layers remember steps that have left the window.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.held = 0
        """Steps that the newest decision was made from."""
        self._window = _TokenWindow(policy, max(1, policy.context // 2))
        self._cache: Any = None
        self._cached_tokens = 0

    def decide(self, observations: Tensor, returns_N: Tensor, previous_actions: Tensor | None) -> Tensor:
        new_NLD = self._window.append(observations, returns_N, previous_actions)
        if self.held == self.policy.context:
            new_NLD = self._window.newest()
            self._cache, self._cached_tokens, self.held = _emptied(self._cache), 0, self._window.steps
        else:
            self.held += 1
        hidden_N1D, self._cache = self.policy.run_trunk(
            new_NLD, position=self._cached_tokens, cache=self._cache, use_cache=True, places=NEWEST_TOKEN
        )
        self._cached_tokens += new_NLD.shape[1]
        return self._window.read(hidden_N1D)

    def keep(self, rows: Tensor) -> None:
        self._window.keep(rows)
        if self._cache is not None:
            self._cache.batch_select_indices(rows)


def _emptied(cache: Any) -> TrunkCache | None:
    """Return a cache without its tokens, or None where it is a foreign one that must be made anew."""
    if not isinstance(cache, TrunkCache):
        return None
    cache.restart()
    return cache


class Memoryless:
    """The newest observation alone, for policies that need no more."""

    def __init__(self, policy: MarkovPolicy) -> None:
        self.policy = policy

    def decide(self, observations: Tensor, returns_N: Tensor, previous_actions: Tensor | None) -> Tensor:
        return self.policy.act(observations).float()

    def keep(self, rows: Tensor) -> None:
        """Forget the other episodes: there is nothing to forget."""


def played_mode(mode: ContextMode, policy: Actor) -> ContextMode:
    """Return the mode that a policy plays in: a trunk whose cache cannot drop episodes that end has only `sliding`."""
    return "sliding" if isinstance(policy, Policy) and policy.backbone.cache_kind == "none" else mode


def make_context(mode: ContextMode, policy: Actor) -> Context:
    """Return a fresh context of the mode that a policy plays in; a policy without memory has only one."""
    if isinstance(policy, MarkovPolicy):
        return Memoryless(policy)
    return SlidingContext(policy) if played_mode(mode, policy) == "sliding" else ChunkedContext(policy)
