"""What decisions are made from: the parts of a policy's input, each swapped with that of another window.

A policy that predicts the data well may do so from the actions before, which while it plays are its own mistakes
("copycat" policies: de Haan et al. 2019, "Causal Confusion in Imitation Learning"; Wen et al. 2020). The measure is
permutation importance (Breiman 2001): swapped parts do not fit together, as those of a slip do not.

Shape suffixes: N windows, K steps of a window, L tokens, D width, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lamo_core.analysis.parts import EVERYTHING, Reliance
from lamo_core.data.windows import WindowBatch
from lamo_core.errors import UsageError
from lamo_core.evaluation.statistics import bootstrap_interval
from lamo_core.model.policy import NEWEST_TOKEN, Policy
from lamo_core.wording import counted


@dataclass(frozen=True)
class _Seen:
    """What the policy decides from, at the newest step of every window."""

    returns_NK: Tensor
    states_NKD: Tensor
    actions: Tensor | None
    """(N, K - 1, …); None for one step."""
    timesteps_NK: Tensor


def reliances(policy: Policy, batch: WindowBatch) -> list[Reliance]:
    """Return how much each part counts, and everything at the end, from windows that are drawn independently.

    Windows that are padded are left out; raises `UsageError` when that leaves fewer than two.
    """
    full = batch.mask.all(1)
    if int(full.sum()) < 2:
        raise UsageError(
            f"fewer than two windows hold {counted(policy.context, 'step')}, so nothing can be swapped; take more "
            "--windows"
        )
    with torch.no_grad():
        seen = _seen(policy, batch, full)
        decided_NA = _decide(policy, seen)
        moved = {part: _distances(policy, decided_NA, _decide(policy, other)) for part, other in _swaps(policy, seen)}
    whole = float(moved[EVERYTHING].mean())
    return [_reliance(part, values_N, whole) for part, values_N in moved.items()]


def _seen(policy: Policy, batch: WindowBatch, rows: Tensor) -> _Seen:
    actions = batch.actions[rows][:, :-1]
    return _Seen(
        batch.returns_to_go[rows],
        policy.encode_windows(batch)[rows],
        actions if actions.shape[1] else None,
        batch.timesteps[rows],
    )


def _swaps(policy: Policy, seen: _Seen) -> list[tuple[str, _Seen]]:
    other = _rolled(seen)
    states_NKD = torch.cat([seen.states_NKD[:, :-1], other.states_NKD[:, -1:]], dim=1)
    swaps = [("newest state", _Seen(seen.returns_NK, states_NKD, seen.actions, seen.timesteps_NK))]
    if seen.actions is not None:
        states_NKD = torch.cat([other.states_NKD[:, :-1], seen.states_NKD[:, -1:]], dim=1)
        swaps += [
            ("earlier states", _Seen(seen.returns_NK, states_NKD, seen.actions, seen.timesteps_NK)),
            ("earlier actions", _Seen(seen.returns_NK, seen.states_NKD, other.actions, seen.timesteps_NK)),
        ]
    if policy.told_returns:
        swaps.append(("return-to-go", _Seen(other.returns_NK, seen.states_NKD, seen.actions, seen.timesteps_NK)))
    return [*swaps, (EVERYTHING, other)]


def _rolled(seen: _Seen) -> _Seen:
    """Return every window's neighbour: windows are drawn independently, so that one is as good as any other."""
    actions = None if seen.actions is None else seen.actions.roll(1, 0)
    return _Seen(seen.returns_NK.roll(1, 0), seen.states_NKD.roll(1, 0), actions, seen.timesteps_NK.roll(1, 0))


def _decide(policy: Policy, seen: _Seen) -> Tensor:
    tokens_NLD = policy.tokens(seen.returns_NK, seen.states_NKD, seen.actions, seen.timesteps_NK)
    hidden_N1D, _ = policy.run_trunk(tokens_NLD, places=NEWEST_TOKEN)
    return policy.act_head(hidden_N1D[:, -1], seen.returns_NK[:, -1]).float()


def _distances(policy: Policy, ours_NA: Tensor, theirs_NA: Tensor) -> Tensor:
    if policy.task.action_kind == "discrete":
        return (ours_NA.softmax(-1) - theirs_NA.softmax(-1)).abs().sum(-1) / 2
    return (ours_NA.clamp(-1, 1) - theirs_NA.clamp(-1, 1)).square().mean(-1).sqrt()


def _reliance(part: str, moved_N: Tensor, whole: float) -> Reliance:
    mean = float(moved_N.mean())
    low, high = bootstrap_interval(moved_N.double().cpu().numpy())
    return Reliance(part, mean, low, high, mean / whole if whole else 0.0)
