"""Halves of GPT-2's blocks as single steps of autograd, with gradients by hand.

Shape suffixes: M rows, K rows that are read, D width, N windows, H heads, L tokens, R of them that are read, T keys,
F features of a head, B = N H.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from lamo_core.model.gpt2.by_hand import (
    Parts,
    Used,
    added,
    fresh,
    noise_like,
    picked,
    project,
    project_apart,
    project_apart_back,
    project_back,
    residual_noise,
    silenced,
    spread_out,
    turned,
)
from lamo_core.model.reading import Read

aten: Any = torch.ops.aten


def normed_projection(x_MD: Tensor, norm: nn.LayerNorm, parts: Parts, read: Read | None) -> tuple[Tensor, ...]:
    """Return the projection (M, O) of the norm of rows; with `read` the first third apart, for what is read."""
    apply: Any = _NormedProjection.apply
    found: Any = apply(x_MD, norm.weight, norm.bias, *parts.tensors, norm.eps, parts, read)
    return (found,) if read is None else found


def added_projection(x_MI: Tensor, base_MD: Tensor, parts: Parts, share: float, read: Read | None) -> Tensor:
    """Return rows (M, D) plus the projection, with dropout, of others (M, I); of the first those that are read."""
    apply: Any = _AddedProjection.apply
    return apply(x_MI, base_MD, *parts.tensors, parts, share, read)  # type: ignore[no-any-return]


def feed_forward(
    x_MD: Tensor, norm: nn.LayerNorm, raising: Parts, lowering: Parts, gelu: bool, share: float, read: Read | None
) -> Tensor:
    """Return rows (M, D) plus what the second half of a block makes of them."""
    tensors = (norm.weight, norm.bias, *raising.tensors, *lowering.tensors)
    apply: Any = _FeedForward.apply
    return apply(x_MD, *tensors, norm.eps, raising, lowering, gelu, share, read)  # type: ignore[no-any-return]


def attend(found: tuple[Tensor, ...], heads: int, mask: Tensor | None, share: float, windows: int, read: Any) -> Tensor:
    """Return what heads find side by side, (M, D) or (K, D), with dropout of attention weights.

    `found` is what `normed_projection` returns; `read` are the tokens that are read, None all.
    """
    apply: Any = _Attend.apply
    return apply(heads, mask, share, windows, read, *found)  # type: ignore[no-any-return]


class _NormedProjection(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, norm: Tensor, norm_bias: Tensor, weight: Tensor, bias: Tensor, first: Any, second: Any,
        eps: float, parts: Parts, read: Read | None,
    ) -> Any:  # fmt: skip
        normed, mean, spread = torch.native_layer_norm(x, x.shape[-1:], norm, norm_bias, eps)
        found: Any
        if read is None:
            found, used = project(normed, parts)
        else:
            *apart, used = project_apart(normed, parts, read)
            found = tuple(apart)
        ctx.parts, ctx.read = parts, read
        ctx.save_for_backward(x, norm, norm_bias, mean, spread, *used)
        return found

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> Any:
        x, norm, norm_bias, mean, spread, *used = ctx.saved_tensors
        needs = ctx.needs_input_grad
        g: Tensor | None
        if ctx.read is None:
            g, gradients = project_back(given[0], ctx.parts, Used(*used), needs[3:])
        else:
            g, gradients = project_apart_back(given[0], given[1], ctx.parts, Used(*used), needs[3:], ctx.read)
        normed = _norm_back(g, x, mean, spread, norm, norm_bias, needs[:3])
        return *normed, *gradients, None, None, None


class _AddedProjection(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, base: Tensor, weight: Tensor, bias: Tensor, first: Any, second: Any, parts: Parts,
        share: float, read: Read | None,
    ) -> Tensor:  # fmt: skip
        found, used = project(x, parts, read)
        noise = residual_noise(found, share, read)
        ctx.parts, ctx.share, ctx.read = parts, share, read
        ctx.save_for_backward(noise, *used)
        return added(base if read is None else picked(base, read), found, noise, share)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        noise, *used = ctx.saved_tensors
        lowered = silenced(g, noise, ctx.share)
        back, gradients = project_back(lowered, ctx.parts, Used(*used), ctx.needs_input_grad[2:])
        return back, g if ctx.read is None else spread_out(g, ctx.read), *gradients, None, None, None


class _FeedForward(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, norm: Tensor, norm_bias: Tensor, *rest: Any) -> Tensor:
        eps, raising, lowering, gelu, share, read = rest[8:]
        normed, mean, spread = torch.native_layer_norm(x, x.shape[-1:], norm, norm_bias, eps)
        raised, first_used = project(normed, raising, read)
        found, second_used = project(F.gelu(raised, approximate="tanh") if gelu else raised.relu_(), lowering, read)
        noise = residual_noise(found, share, read)
        ctx.both, ctx.gelu, ctx.share = (raising, lowering), gelu, share
        ctx.save_for_backward(x, norm, norm_bias, mean, spread, raised, noise, *first_used, *second_used)
        return added(x, found, noise, share)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, norm, norm_bias, mean, spread, raised, noise, *used = ctx.saved_tensors
        needs, (raising, lowering) = ctx.needs_input_grad, ctx.both
        back, second = project_back(silenced(g, noise, ctx.share), lowering, Used(*used[3:]), needs[7:])
        if ctx.gelu:
            back = aten.gelu_backward(back, raised, approximate="tanh")
        else:
            back = aten.threshold_backward(back, raised, 0)
        back, first = project_back(back, raising, Used(*used[:3]), needs[3:])
        gx, *norms = _norm_back(back, x, mean, spread, norm, norm_bias, needs[:3])
        return None if gx is None else gx.add_(g), *norms, *first, *second, *[None] * 6


class _Attend(Function):
    @staticmethod
    def forward(
        ctx: Any, heads: int, mask: Tensor | None, share: float, windows: int, read: Read | None, *found: Tensor
    ) -> Tensor:
        counts = (3,) if len(found) == 1 else (1, 2)
        kinds = zip(found, counts, strict=True)
        query, key, value = (part for rows, count in kinds for part in _by_heads(rows, count, heads, windows))
        base = query.new_zeros(()) if mask is None else mask
        scores_BRT = torch.baddbmm(base, query, turned(key), alpha=_scale(query))
        weights_BRT = torch._softmax(scores_BRT, -1, False)
        noise_BRT = _attention_noise(weights_BRT, share, read)
        ctx.alpha, ctx.windows, ctx.apart = 1 / (1 - share), windows, len(found) > 1
        ctx.save_for_backward(query, key, value, weights_BRT, noise_BRT)
        found_BRF = torch.baddbmm(query, weights_BRT * noise_BRT, value, beta=0, alpha=ctx.alpha)
        return _side_by_side(found_BRF, 1, windows)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        query, key, value, weights_BRT, noise_BRT = ctx.saved_tensors
        B, scale, apart = len(query), _scale(query), ctx.apart
        (g_BRF,) = _by_heads(g, 1, B // ctx.windows, ctx.windows)
        gquery, gkey, gvalue, *whole = _room(query, key, apart)
        torch.baddbmm(value, turned(weights_BRT * noise_BRT), g_BRF, beta=0, alpha=ctx.alpha, out=gvalue)
        g_BRT = torch.baddbmm(weights_BRT, g_BRF, turned(value), beta=0, alpha=ctx.alpha).mul_(noise_BRT)
        g_BRT = aten._softmax_backward_data(g_BRT, weights_BRT, -1, weights_BRT.dtype)
        torch.baddbmm(query, g_BRT, key, beta=0, alpha=scale, out=gquery)
        torch.baddbmm(key, turned(g_BRT), query, beta=0, alpha=scale, out=gkey)
        counts = (1, 2) if apart else (3,)
        kinds = zip(whole, counts, strict=True)
        return *[None] * 5, *(_side_by_side(parts, count, ctx.windows) for parts, count in kinds)


def _room(query: Tensor, key: Tensor, apart: bool) -> tuple[Tensor, ...]:
    """Return memory for gradients of queries, keys and values, and it whole: of the queries apart, or of all three."""
    if apart:
        gquery, rest = fresh(query, 1, *query.shape), fresh(key, 2, *key.shape)
        return gquery[0], rest[0], rest[1], gquery, rest
    whole = fresh(query, 3, *query.shape)
    size, shape, strides = query.numel(), query.shape, query.stride()
    return *(whole.as_strided(shape, strides, place * size) for place in range(3)), whole


def _by_heads(rows: Tensor, parts: int, heads: int, windows: int) -> list[Tensor]:
    """Copy rows of `parts` kinds of vectors, (N L, P H F), to as many tensors (N H, L, F)."""
    L, features = len(rows) // windows, rows.shape[1] // (parts * heads)
    width, row = heads * features, rows.stride(0)
    sizes = (parts, windows, heads, L, features)
    copied = fresh(rows, *sizes).copy_(
        rows.as_strided(sizes, (width, L * row, features, row, 1), rows.storage_offset())
    )
    B, part = windows * heads, windows * L * width
    return [copied.as_strided((B, L, features), (L * features, features, 1), place * part) for place in range(parts)]


def _side_by_side(parts: Tensor, count: int, windows: int) -> Tensor:
    """Copy so many parts (N H, L, F), which lie one behind the other, to rows (N L, P H F)."""
    L, features = parts.shape[-2:]
    width = parts.numel() // (windows * L)
    heads = width // (count * features)
    rows, sizes = fresh(parts, windows * L, width), (count, windows, heads, L, features)
    slots = rows.as_strided(sizes, (heads * features, L * width, features, width, 1))
    slots.copy_(parts.view(sizes))
    return rows


def _scale(query: Tensor) -> float:
    return float(query.shape[-1] ** -0.5)


def _attention_noise(weights_BRT: Tensor, share: float, read: Read | None) -> Tensor:
    if read is None:
        return noise_like(weights_BRT, share, None)
    B, _, T = weights_BRT.shape
    return weights_BRT.new_empty(B, read.tokens, T).bernoulli_(1 - share)[:, read.places]


def _norm_back(
    g: Any, x: Tensor, mean: Tensor, spread: Tensor, norm: Tensor, norm_bias: Tensor, needs: tuple[bool, ...]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    found: tuple[Tensor | None, Tensor | None, Tensor | None] = aten.native_layer_norm_backward(
        g, x, x.shape[-1:], mean, spread, norm, norm_bias, list(needs)
    )
    return found
