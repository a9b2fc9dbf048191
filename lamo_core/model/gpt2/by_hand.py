"""Projections with their low-rank adapters and the gradients of both, in few operator calls.

A projection is its matrix (I, O) and bias, and of an adapter the first matrix (S, I) and the second one (O, S); an
adapter of P projections side by side has the first (P, R, I) and the second (P, O / P, R), S = P R.

Shape suffixes: M rows, K rows that are read, D width, I inputs, O outputs, S rank.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lamo_core.model.reading import Read
from lamo_core.scalars import scalar


class Parts(NamedTuple):
    """The tensors of a projection and how its adapter counts."""

    weight_IO: Tensor
    bias_O: Tensor
    first: Tensor | None = None
    second: Tensor | None = None
    scale: float = 0.0
    share: float = 0.0
    """Dropout of what the adapter sees."""

    @property
    def tensors(self) -> tuple[Tensor | None, ...]:
        return self[:4]


class Used(NamedTuple):
    """What the gradients of a projection rest on beside its tensors."""

    rows: Tensor | None = None
    """Those that the learning matrix has met."""
    narrow_MS: Tensor | None = None
    noise: Tensor | None = None


def noise_like(x: Tensor, share: float, read: Read | None) -> Tensor:
    """Return ones and, for a share of the elements, zeros: what dropout of all rows draws, for those that are read."""
    if read is None:
        return fresh(x, *x.shape).bernoulli_(1 - share)
    return picked(fresh(x, read.windows * read.tokens, x.shape[-1]).bernoulli_(1 - share), read)


def residual_noise(x: Tensor, share: float, read: Read | None) -> Tensor | None:
    """Return ones and zeros for what dropout leaves of rows that join the residual stream; None for no dropout."""
    return noise_like(x, share, read) if share else None


def silenced(x: Tensor, noise: Tensor | None, share: float) -> Tensor:
    """Return what dropout of a share leaves, raised by as much as falls away."""
    if noise is None:
        return x
    return torch.addcmul(scalar(0.0, x.dtype, x.device), x, noise, value=1 / (1 - share))


def added(base: Tensor, x: Tensor, noise: Tensor | None, share: float) -> Tensor:
    """Return what dropout leaves of fresh rows, `base` added."""
    return x.add_(base) if noise is None else torch.addcmul(base, x, noise, value=1 / (1 - share))


def fresh(like: Tensor, *shape: int) -> Tensor:
    """Return memory of a shape; one call where `new_empty` and `empty_like` make two."""
    return torch.empty(shape, dtype=like.dtype, device=like.device)


def picked(x_MD: Tensor, read: Read) -> Tensor:
    """Do what `Read.pick` does, for what needs no gradient, in fewer calls."""
    part_NKD = _spread(x_MD, read)
    N, K, D = part_NKD.shape
    copied_MD = fresh(x_MD, N * K, D)
    copied_MD.as_strided((N, K, D), (K * D, D, 1)).copy_(part_NKD)
    return copied_MD


def spread_out(x_KD: Tensor, read: Read) -> Tensor:
    """Undo `picked`, with zeros for rows that are not read: (K, D) to (M, D)."""
    x_MD = x_KD.new_zeros(read.windows * read.tokens, x_KD.shape[1])
    _spread(x_MD, read).copy_(x_KD.view(read.windows, read.count, -1))
    return x_MD


def project(x_MI: Tensor, parts: Parts, read: Read | None = None) -> tuple[Tensor, Used]:
    """Project rows (M, I) to (M, O)."""
    y_MO = torch.mm(x_MI, parts.weight_IO).add_(parts.bias_O)
    if parts.first is None or parts.second is None:
        return y_MO, Used(x_MI if parts.weight_IO.requires_grad else None)
    used = _narrow(x_MI, parts, read)
    _add_change(y_MO, used.narrow_MS, parts.second, _alpha(parts))
    return y_MO, used


def project_back(
    g_MO: Tensor, parts: Parts, used: Used, needs: tuple[bool, ...], *, inputs: bool = True
) -> tuple[Tensor | None, list[Tensor | None]]:
    """Return the gradient of the rows (M, I), if wanted, and those of the four tensors."""
    weight, bias = _base_back(g_MO, used, needs)
    g_MI = torch.mm(g_MO, turned(parts.weight_IO)) if inputs else None
    if parts.first is None or parts.second is None:
        return g_MI, [weight, bias, None, None]
    g_MS = _narrow_back(g_MO, parts.second, used.narrow_MS, _alpha(parts))
    second = _second_back(g_MO, parts.second, used.narrow_MS, _alpha(parts))
    return _first_back(g_MI, g_MS, parts, used), [weight, bias, _first_gradient(g_MS, parts, used), second]


def project_apart(x_MI: Tensor, parts: Parts, read: Read) -> tuple[Tensor, Tensor, Used]:
    """Project the first third of the outputs for rows that are read, (K, O / 3), and the rest for all, (M, 2 O / 3)."""
    third = len(parts.bias_O) // 3
    weight_IO, bias_O = parts.weight_IO, parts.bias_O
    q_KO = torch.mm(picked(x_MI, read), weight_IO[:, :third]).add_(bias_O[:third])
    rest_MO = torch.mm(x_MI, weight_IO[:, third:]).add_(bias_O[third:])
    if parts.first is None or parts.second is None:
        return q_KO, rest_MO, Used(x_MI if weight_IO.requires_grad else None)
    used, alpha = _narrow(x_MI, parts, None), _alpha(parts)
    assert used.narrow_MS is not None
    (q_second, q_narrow), (rest_second, rest_narrow) = _apart(parts.second, used.narrow_MS)
    _add_change(q_KO, picked(q_narrow, read), q_second, alpha)
    _add_change(rest_MO, rest_narrow, rest_second, alpha)
    return q_KO, rest_MO, used


def project_apart_back(
    gq_KO: Tensor, grest_MO: Tensor, parts: Parts, used: Used, needs: tuple[bool, ...], read: Read
) -> tuple[Tensor, list[Tensor | None]]:
    """Return what `project_back` does, for `project_apart`."""
    third, weight_IO = gq_KO.shape[1], parts.weight_IO
    g_MI = torch.mm(grest_MO, turned(weight_IO[:, third:]))
    _spread(g_MI, read).add_(torch.mm(gq_KO, turned(weight_IO[:, :third])).view(read.windows, read.count, -1))
    rest = _base_back(grest_MO, used, needs)
    of_queries = Used(None if used.rows is None else picked(used.rows, read))
    weight, bias = (
        None if one is None or other is None else torch.cat([one, other], -1)
        for one, other in zip(_base_back(gq_KO, of_queries, needs), rest, strict=True)
    )
    if parts.first is None or parts.second is None or used.narrow_MS is None:
        return g_MI, [weight, bias, None, None]
    alpha = _alpha(parts)
    (q_second, q_narrow), (rest_second, rest_narrow) = _apart(parts.second, used.narrow_MS)
    gq_KS = _narrow_back(gq_KO, q_second, picked(q_narrow, read), alpha)
    grest_MS = _narrow_back(grest_MO, rest_second, rest_narrow, alpha)
    g_MS = torch.zeros_like(used.narrow_MS)
    g_MS[:, -grest_MS.shape[1] :] += grest_MS
    _spread(g_MS, read)[..., : gq_KS.shape[1]].add_(gq_KS.view(read.windows, read.count, -1))
    q_gradient = _second_back(gq_KO, q_second, picked(q_narrow, read), alpha)
    rest_gradient = _second_back(grest_MO, rest_second, rest_narrow, alpha)
    second = torch.cat([q_gradient.view(-1, *rest_gradient.shape[1:]), rest_gradient])
    return _first_back(g_MI, g_MS, parts, used), [weight, bias, _first_gradient(g_MS, parts, used), second]  # type: ignore[return-value]


def turned(x: Tensor) -> Tensor:
    """Transpose the last two of two or three dimensions; one call where `transpose` makes two and `t` three."""
    sizes, strides = x.shape, x.stride()
    return x.as_strided(
        (*sizes[:-2], sizes[-1], sizes[-2]), (*strides[:-2], strides[-1], strides[-2]), x.storage_offset()
    )


def _alpha(parts: Parts) -> float:
    return parts.scale / (1 - parts.share)


def _narrow(x_MI: Tensor, parts: Parts, read: Read | None) -> Used:
    assert parts.first is not None
    noise = noise_like(x_MI, parts.share, read) if parts.share else None
    rows = x_MI if noise is None else x_MI * noise
    return Used(rows, torch.mm(rows, _flat_turned(parts.first)), noise)


def _flat(first: Tensor) -> Tensor:
    """View first matrices, which lie one below the other, as one (S, I)."""
    inputs = first.shape[-1]
    return first if first.ndim == 2 else first.as_strided((first.numel() // inputs, inputs), (inputs, 1))


def _flat_turned(first: Tensor) -> Tensor:
    inputs = first.shape[-1]
    return first.as_strided((inputs, first.numel() // inputs), (1, inputs))


def _apart(second: Tensor, narrow_MS: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return what concerns the first third of the outputs of an adapter's second matrix and input, and the rest."""
    if second.ndim == 2:
        third = len(second) // 3
        return (second[:third], narrow_MS), (second[third:], narrow_MS)
    rank = second.shape[-1]
    return (second[0], narrow_MS[:, :rank]), (second[1:], narrow_MS[:, rank:])


def _side_by_side(x_MO: Tensor, count: int) -> Tensor:
    """View rows of several projections' outputs as (P, M, O / P)."""
    x_MO = x_MO if x_MO.stride(1) == 1 else x_MO.contiguous()
    M, O = x_MO.shape  # noqa: E741
    return x_MO.as_strided((count, M, O // count), (O // count, x_MO.stride(0), 1), x_MO.storage_offset())


def _add_change(y_MO: Tensor, narrow_MS: Tensor | None, second: Tensor, alpha: float) -> None:
    assert narrow_MS is not None
    if second.ndim == 2:
        y_MO.addmm_(narrow_MS, turned(second), alpha=alpha)
        return
    count = len(second)
    # not baddbmm_: with a result that is not contiguous it goes one by one
    change_PMO = torch.bmm(_side_by_side(narrow_MS, count), turned(second))
    _side_by_side(y_MO, count).add_(change_PMO, alpha=alpha)


def _base_back(g_MO: Tensor, used: Used, needs: tuple[bool, ...]) -> tuple[Tensor | None, Tensor | None]:
    weight = torch.mm(turned(used.rows), g_MO) if needs[0] and used.rows is not None else None
    return weight, g_MO.sum(0) if needs[1] else None


def _narrow_back(g_MO: Tensor, second: Tensor, narrow_MS: Tensor | None, alpha: float) -> Tensor:
    """Return the gradient of what the second matrix meets, (M, S)."""
    assert narrow_MS is not None
    if second.ndim == 2:
        return torch.addmm(narrow_MS, g_MO, second, beta=0, alpha=alpha)
    count = len(second)
    g_PMR = torch.baddbmm(_side_by_side(narrow_MS, count), _side_by_side(g_MO, count), second, beta=0, alpha=alpha)
    g_MS = fresh(g_MO, len(g_MO), count * g_PMR.shape[-1])
    _side_by_side(g_MS, count).copy_(g_PMR)
    return g_MS


def _second_back(g_MO: Tensor, second: Tensor, narrow_MS: Tensor | None, alpha: float) -> Tensor:
    assert narrow_MS is not None
    if second.ndim == 2:
        return torch.addmm(second, turned(g_MO), narrow_MS, beta=0, alpha=alpha)
    count = len(second)
    g_POM = turned(_side_by_side(g_MO, count))
    return torch.baddbmm(second, g_POM, _side_by_side(narrow_MS, count), beta=0, alpha=alpha)


def _first_gradient(g_MS: Tensor, parts: Parts, used: Used) -> Tensor:
    assert parts.first is not None
    assert used.rows is not None
    return torch.mm(turned(g_MS), used.rows).view(parts.first.shape)


def _first_back(g_MI: Tensor | None, g_MS: Tensor, parts: Parts, used: Used) -> Tensor | None:
    """Add to the gradient of the inputs what the adapter gives."""
    assert parts.first is not None
    if g_MI is None:
        return None
    if used.noise is None:
        return g_MI.addmm_(g_MS, _flat(parts.first))
    return g_MI.addcmul_(torch.mm(g_MS, _flat(parts.first)), used.noise)


def _spread(x_MD: Tensor, read: Read) -> Tensor:
    """View the rows that are read, (N, K / N, D)."""
    first, _, step = read.places.indices(read.tokens)
    row, column = x_MD.stride()
    sizes = (read.windows, read.count, x_MD.shape[1])
    return x_MD.as_strided(sizes, (read.tokens * row, step * row, column), x_MD.storage_offset() + first * row)
