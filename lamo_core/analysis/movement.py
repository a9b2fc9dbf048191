"""Which parameters moved in training, and how far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

_LORA = (".lora_A.", ".lora_B.")


@dataclass(frozen=True)
class Movement:
    """One module: the norm of its change over the norm of what it was."""

    name: str
    """Such as `embed_state.linear`, or `trunk.h.0.attn.c_attn (adapter)`."""
    parameters: int
    """Trained ones."""
    relative: float
    """Of an adapter: the norm of its effective change over that of the frozen matrix that it is added to."""
    stable_rank: float | None = None
    """Squared Frobenius over squared spectral norm of an adapter's effective change: how many directions it uses."""


def movements(policy: nn.Module, initial: nn.Module) -> list[Movement]:
    """Return the movement of every module that was trained, in the order of the policy; both must be alike."""
    return [*_plain(policy, initial), *_adapters(policy)]


def _plain(policy: nn.Module, initial: nn.Module) -> list[Movement]:
    before = dict(initial.named_parameters())
    groups: dict[str, list[tuple[Tensor, Tensor]]] = {}
    for name, parameter in policy.named_parameters():
        if parameter.requires_grad and not any(part in name for part in _LORA):
            groups.setdefault(name.rpartition(".")[0], []).append((before[name].detach(), parameter.detach().cpu()))
    return [_movement(name, pairs) for name, pairs in groups.items()]


def _movement(name: str, pairs: list[tuple[Tensor, Tensor]]) -> Movement:
    change = sum(float((new.float() - old.float()).square().sum()) for old, new in pairs)
    size = sum(float(old.float().square().sum()) for old, _ in pairs)
    relative = (change / size) ** 0.5 if size else float("inf") if change else 0.0
    return Movement(name, sum(new.numel() for _, new in pairs), relative)


def _adapters(policy: nn.Module) -> list[Movement]:
    found = []
    for name, module in policy.named_modules():
        adapters: Mapping[str, Any] = getattr(module, "lora_A", None) or {}
        base = getattr(module, "base_layer", None)
        for adapter in adapters:
            delta = module.get_delta_weight(adapter).detach().float().cpu()
            size = float(torch.linalg.matrix_norm(base.weight.detach().float().cpu()))  # type: ignore[union-attr]
            frobenius = float(torch.linalg.matrix_norm(delta))
            spectral = float(torch.linalg.matrix_norm(delta, 2))
            trained = sum(p.numel() for key, p in module.named_parameters() if any(part in f".{key}" for part in _LORA))
            rank = (frobenius / spectral) ** 2 if spectral else None
            found.append(Movement(f"{name} (adapter)", trained, frobenius / size if size else float("inf"), rank))
    return found
