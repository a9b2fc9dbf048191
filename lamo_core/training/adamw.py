"""AdamW (Loshchilov & Hutter 2019) in few operator calls, that leaves out an update which is not finite by itself.

PyTorch's fused kernel does the arithmetic, so the numbers are those of `torch.optim.AdamW`. Small tensors lie one
behind the other and are updated as one: a step with dozens of low-rank matrices is a handful of calls. Whether an
update is applied is decided on the device, which the host need not wait for. Making one of PyTorch's own optimisers
imports its compiler, which takes over a second.

Legend: P parameters of a part, E their elements with the room between them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lamo_core.scalars import scalar

_SMALL = 1 << 18
"""Elements up to which a tensor is put together with others; larger ones are worth a call of their own."""
_ALIGNED = 16
"""Elements to whose multiples tensors are laid: 64 bytes, as allocators do."""


class AdamW:
    """Adam with decoupled weight decay over groups of parameters.

    A parameter without a gradient in a step is left alone, its moments and its count of steps too.
    """

    def __init__(
        self, groups: Sequence[dict[str, Any]], *, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        """Groups hold `params`, `lr` and `weight_decay`, as PyTorch's do. Small parameters move into memory of ours."""
        common = {"betas": betas, "eps": eps}
        self.param_groups = [{**common, **group, "params": list(group["params"])} for group in groups]
        self._parts = [_parts_of(group["params"]) for group in self.param_groups]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for part in self._every():
            part.forget()

    @torch.no_grad()
    def gradient_norm(self) -> Tensor:
        """Return the norm of all gradients together, a scalar on their device."""
        norms = [torch.linalg.vector_norm(found) for part in self._every() for found in part.found()]
        return torch.linalg.vector_norm(torch.stack(norms)) if norms else torch.zeros(())

    @torch.no_grad()
    def step(self, *, divisor: Tensor | None = None, skip: Tensor | None = None) -> None:
        """Update the parameters; where the scalar `skip` is 1, on the device, everything stays as it is.

        Gradients are divided by the scalar `divisor` first.
        """
        if skip is not None and skip.device.type == "mps":  # its kernel does not look at it
            if bool(skip):
                return
            skip = None
        taken = None if skip is None else scalar(1.0, skip.dtype, skip.device) - skip
        for number, group in enumerate(self.param_groups):
            self._parts[number] = [piece for part in self._parts[number] for piece in part.settled()]
            for part in self._parts[number]:
                if part.has_gradient:
                    part.step(group["lr"], group["betas"], group["weight_decay"], group["eps"], divisor, skip, taken)

    def state_dict(self) -> dict[str, Any]:
        """Return moments and counts by the parameter's number, and the groups, in PyTorch's form."""
        state: dict[int, dict[str, Tensor]] = {}
        groups, first = [], 0
        for group, parts in zip(self.param_groups, self._parts, strict=True):
            held = [entry for part in parts for entry in part.entries()]
            state |= {first + place: entry for place, entry in enumerate(held) if float(entry["step"])}
            others = {name: value for name, value in group.items() if name != "params"}
            groups.append({**others, "params": list(range(first, first + len(held)))})
            first += len(held)
        return {"state": state, "param_groups": groups}

    @torch.no_grad()
    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on from a state, ours or PyTorch's; raises `ValueError` for that of other parameters."""
        groups, first = saved["param_groups"], 0
        if [len(group["params"]) for group in groups] != [len(group["params"]) for group in self.param_groups]:
            raise ValueError("the optimiser's groups are those of another policy")
        for number, (group, theirs) in enumerate(zip(self.param_groups, groups, strict=True)):
            group.update({name: theirs[name] for name in group.keys() & theirs.keys() - {"params"}})
            entries = [saved["state"].get(first + place) for place in range(len(group["params"]))]
            first += len(entries)
            self._parts[number] = [piece for part in self._parts[number] for piece in part.loaded(entries)]

    def _every(self) -> Iterable[_Part]:
        return (part for parts in self._parts for part in parts)


def clipping(norm: Tensor, largest: float) -> Tensor | None:
    """Return what gradients of a norm are divided by so that it is at most `largest`; None for no limit, 0."""
    if not largest:
        return None
    small, limit, one = (scalar(value, norm.dtype, norm.device) for value in (1e-6, largest, 1.0))
    return torch.maximum((norm + small) / limit, one)


class _Part:
    """Parameters that are updated as one, with their moments; `first` is the place of the first one in its group."""

    def __init__(self, parameters: list[nn.Parameter], first: int) -> None:
        self.parameters, self.first = parameters, first
        self.together = len(parameters) > 1
        self._sizes = [_room(parameter) if self.together else parameter.numel() for parameter in parameters]
        self._present = [False] * len(parameters)
        if self.together:
            self.values = _joined(parameters, self._sizes)
            self.gradients: Tensor | None = torch.zeros_like(self.values)
            for parameter, value in zip(parameters, self._views(self.values), strict=True):
                parameter.data = value
        else:
            self.values, self.gradients = parameters[0].data, None
        self.mean, self.square = torch.zeros_like(self.values), torch.zeros_like(self.values)
        self.steps = torch.zeros((), device=self.values.device)
        self._slots = self._views(self.gradients) if self.gradients is not None else []
        self.forget()
        self._hooks = [
            parameter.register_post_accumulate_grad_hook(self._noting(place))  # type: ignore[no-untyped-call]
            for place, parameter in enumerate(parameters)
            if self.together
        ]

    @property
    def has_gradient(self) -> bool:
        return all(self._present) if self.together else self.parameters[0].grad is not None

    def forget(self) -> None:
        if self.gradients is None:
            self.parameters[0].grad = None
            return
        self.gradients.zero_()
        self._present = [False] * len(self.parameters)
        for parameter, slot in zip(self.parameters, self._slots, strict=True):
            parameter.grad = slot

    def found(self) -> list[Tensor]:
        """Return the gradients that there are, as few tensors."""
        if self.gradients is None:
            return [] if self.parameters[0].grad is None else [self.parameters[0].grad]
        self._collect()
        return [self.gradients] if any(self._present) else []

    def settled(self) -> list[_Part]:
        """Return the part, or several where only some of its parameters have a gradient."""
        self._collect()
        return self.divided(self._present) if any(self._present) else [self]

    def step(
        self,
        rate: float,
        betas: tuple[float, float],
        decay: float,
        eps: float,
        divisor: Tensor | None,
        skip: Tensor | None,
        taken: Tensor | None,
    ) -> None:
        gradients = self.parameters[0].grad if self.gradients is None else self.gradients
        assert gradients is not None
        if divisor is not None and gradients.device.type == "mps":  # its kernel does not divide
            gradients, divisor = gradients / divisor, None
        self.steps.add_(scalar(1.0, self.steps.dtype, self.steps.device) if taken is None else taken)
        torch._fused_adamw_(
            [self.values], [gradients], [self.mean], [self.square], [], [self.steps],
            lr=rate, beta1=betas[0], beta2=betas[1], weight_decay=decay, eps=eps, amsgrad=False, maximize=False,
            grad_scale=divisor, found_inf=skip,
        )  # fmt: skip

    def entries(self) -> list[dict[str, Tensor]]:
        """Return the state of every parameter."""
        moments = zip(self._views(self.mean), self._views(self.square), strict=True)
        return [{"step": self.steps.clone(), "exp_avg": mean, "exp_avg_sq": square} for mean, square in moments]

    def loaded(self, entries: Sequence[Mapping[str, Any] | None]) -> list[_Part]:
        """Take over the state of one's own parameters of a group's; returns parts that have each come equally far."""
        own = entries[self.first : self.first + len(self.parameters)]
        counts = [0.0 if entry is None else float(entry["step"]) for entry in own]
        if len(set(counts)) > 1:
            return [piece for part in self.divided(counts) for piece in part.loaded(entries)]
        self.steps.fill_(counts[0])
        for name, held in (("exp_avg", self.mean), ("exp_avg_sq", self.square)):
            for slot, entry in zip(self._views(held), own, strict=True):
                if entry is not None and entry[name].shape != slot.shape:
                    raise ValueError("the optimiser's moments have another shape than what they belong to")
                slot.copy_(torch.zeros_like(slot) if entry is None else entry[name])
        return [self]

    def divided(self, kinds: Sequence[object]) -> list[_Part]:
        """Return parts of neighbours of one kind, moments and gradients included; this one is then no longer used."""
        if len(set(kinds)) < 2:
            return [self]
        for hook in self._hooks:
            hook.remove()
        places = range(len(self.parameters))
        runs = [list(run) for _, run in itertools.groupby(places, key=lambda place: kinds[place])]
        return [self._piece(run[0], run[-1] + 1) for run in runs]

    def _piece(self, start: int, stop: int) -> _Part:
        found = [
            parameter.grad if present else None
            for parameter, present in zip(self.parameters[start:stop], self._present[start:stop], strict=True)
        ]
        piece = _Part(self.parameters[start:stop], self.first + start)
        for parameter, gradient in zip(piece.parameters, found, strict=True):
            if gradient is not None:
                parameter.grad = gradient
        piece._collect()
        for theirs, ours in ((piece.mean, self.mean), (piece.square, self.square)):
            for slot, value in zip(piece._views(theirs), self._views(ours)[start:stop], strict=True):
                slot.copy_(value)
        piece.steps.copy_(self.steps)
        return piece

    def _collect(self) -> None:
        """Bring gradients that somebody else's memory holds to where they are updated from."""
        for place, slot in enumerate(self._slots):
            found = self.parameters[place].grad
            if found is None:
                self._present[place] = False
            elif found is not slot:
                slot.copy_(found)
                self.parameters[place].grad, self._present[place] = slot, True

    def _noting(self, place: int) -> Any:
        def note(parameter: Tensor) -> None:
            self._present[place] = True

        return note

    def _views(self, flat_E: Tensor) -> list[Tensor]:
        if not self.together:
            return [flat_E]
        pieces = torch.split(flat_E, self._sizes)
        return [
            piece[: parameter.numel()].view(parameter.shape)
            for piece, parameter in zip(pieces, self.parameters, strict=True)
        ]


def _parts_of(parameters: list[nn.Parameter]) -> list[_Part]:
    """Put neighbours that are small together, up to the first large one behind them."""
    runs: list[list[nn.Parameter]] = []
    for parameter in parameters:
        fits = parameter.numel() <= _SMALL and parameter.is_contiguous()
        joins = fits and runs and runs[-1][-1].numel() <= _SMALL and runs[-1][-1].is_contiguous()
        kinds = bool(runs) and (runs[-1][-1].dtype, runs[-1][-1].device) == (parameter.dtype, parameter.device)
        if joins and kinds:
            runs[-1].append(parameter)
        else:
            runs.append([parameter])
    firsts = [sum(map(len, runs[:number])) for number in range(len(runs))]
    return [_Part(run, first) for run, first in zip(runs, firsts, strict=True)]


def _joined(parameters: list[nn.Parameter], sizes: list[int]) -> Tensor:
    flat_E = parameters[0].data.new_zeros(sum(sizes))
    for parameter, piece in zip(parameters, torch.split(flat_E, sizes), strict=True):
        piece[: parameter.numel()].copy_(parameter.data.flatten())
    return flat_E


def _room(parameter: Tensor) -> int:
    return -(-parameter.numel() // _ALIGNED) * _ALIGNED
