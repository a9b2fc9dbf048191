"""GPT-2's transformer (Radford et al. 2019) for training on short windows: few operator calls, only what is read.

The same function as transformers' `GPT2Model` of the same configuration, with the same names of tensors. Rows of all
windows stand one below the other, so that matrix products need no views; the last block is computed for the tokens that
are read alone, the others give it keys and values.

Shape suffixes: N windows, L tokens, R of them that are read, D width, H heads, F features of a head, S keys, M = N L
rows, K rows that are read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lamo_core.model.extras.head_mixing import HeadMixing
from lamo_core.model.gpt2.by_hand import Parts, residual_noise, silenced
from lamo_core.model.gpt2.halves import added_projection, attend, feed_forward, normed_projection
from lamo_core.model.key_values import KeyValues, TrunkCache
from lamo_core.model.reading import Read, apart, drop

Tap = Callable[[Tensor, Tensor, slice], None]
"""Is shown queries (N, H, R, F), keys (N, H, S, F) and which of the newest tokens the queries are of."""


@dataclass(frozen=True)
class Gpt2Shape:
    """What transformers' `GPT2Config` says, under the names that it has for every family."""

    vocab_size: int
    max_position_embeddings: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    n_inner: int
    layer_norm_epsilon: float
    initializer_range: float
    activation_function: str
    embd_pdrop: float = 0.0
    resid_pdrop: float = 0.0
    attn_pdrop: float = 0.0
    model_type: ClassVar[str] = "gpt2"


class Projection(nn.Module):
    """A linear layer whose matrix is (inputs, outputs), as GPT-2 keeps it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    @property
    def parts(self) -> Parts:
        """What a step with gradients by hand needs of it."""
        return Parts(self.weight, self.bias)

    def forward(self, x_MI: Tensor, read: Read | None = None) -> Tensor:
        """Project rows (M, I) to (M, O); which of them they are, `read`, is all one here."""
        return torch.addmm(self.bias, x_MI, self.weight)

    def queries_apart(self, x_MI: Tensor, read: Read) -> tuple[Tensor, Tensor]:
        """Return the first third of the outputs for tokens that are read (K, O / 3), the rest for all (M, 2 O / 3)."""
        return apart(x_MI, self.weight, self.bias, read)


class _Pass:
    """What all blocks share in one pass."""

    def __init__(self, windows: int, tokens: int, past: int, table: Callable[[int], Tensor], *, by_hand: bool) -> None:
        """`past` is how many tokens the cache holds, `by_hand` whether gradients are made without autograd.

        `table` returns attention masks (T, T) to add: nothing for earlier tokens, minus infinity for later ones.
        """
        self.windows, self.tokens, self.past, self.by_hand = windows, tokens, past, by_hand
        self._table = table
        self._masks: dict[tuple[bool, torch.dtype, int], Tensor] = {}

    def mask(self, read: Read | None, dtype: torch.dtype, heads: int = 0) -> Tensor | None:
        """Return the mask (R, S) of queries that are read; None where that is the newest alone, which sees all.

        With `heads` one for every head of every window, (B, R, S), which take no memory.
        """
        if self.tokens == 1 or (read is not None and read.newest_alone):
            return None
        key = (read is not None, dtype, heads)
        if key not in self._masks:
            end = self.past + self.tokens
            whole = self._table(end)[self.past : end, :end].to(dtype)
            mask = whole if read is None else whole[read.places]
            self._masks[key] = mask.expand(self.windows * heads, *mask.shape) if heads else mask
        return self._masks[key]


class Attention(nn.Module):
    """Causal attention with one fused projection."""

    def __init__(self, shape: Gpt2Shape) -> None:
        super().__init__()
        self.width = width = shape.hidden_size
        self.heads, self.attention_share, self.share = shape.num_attention_heads, shape.attn_pdrop, shape.resid_pdrop
        self.c_attn: Any = Projection(width, 3 * width)
        self.c_proj: Any = Projection(width, width)
        self.tap: Tap | None = None

    def forward(self, x_MD: Tensor, run: _Pass, past: KeyValues | None, read: Read | None) -> Tensor:
        """Attend: rows (M, D) to (M, D), or to (K, D) for tokens that are read."""
        found = (self.c_attn(x_MD),) if read is None else self.c_attn.queries_apart(x_MD, read)
        joined = self.joined(found, run, past, read)
        return drop(self.c_proj(joined, read), self.share, self.training, read)

    def joined(self, found: tuple[Tensor, ...], run: _Pass, past: KeyValues | None, read: Read | None) -> Tensor:
        """Return what the heads find side by side, (M, D) or (K, D), from what the fused projection gives."""
        share = self.attention_share if self.training else 0.0
        openly = bool(share) and found[0].device.type != "cuda"
        if openly and run.by_hand:
            mask = run.mask(read, found[0].dtype, self.heads)
            return attend(found, self.heads, mask, share, run.windows, read)
        query, key, value = (part.transpose(1, 2) for part in self._split(found, run.windows))
        if past is not None:
            key, value = past.append(key, value)
        if self.tap is not None:
            self.tap(query, key, slice(None) if read is None else read.places)
        if openly:
            heads_NHRF = _attend_openly(query, key, value, run.mask(read, query.dtype), share, read)
        else:
            causal = read is None and run.past == 0
            mask = None if causal else run.mask(read, query.dtype)
            heads_NHRF = F.scaled_dot_product_attention(query, key, value, mask, share, causal)
        return heads_NHRF.transpose(1, 2).reshape(-1, self.width)

    def _split(self, found: tuple[Tensor, ...], windows: int) -> tuple[Tensor, ...]:
        """Return queries, keys and values, (N, L, H, F)."""
        *apart, rest = found
        parts = 3 - len(apart)
        features = rest.shape[-1] // (parts * self.heads)
        queries = [query.view(windows, -1, self.heads, features) for query in apart]
        return *queries, *rest.view(windows, -1, parts, self.heads, features).unbind(2)


def _attend_openly(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, share: float, read: Read | None
) -> Tensor:
    """Do the same with weights in the open, as SDPA does where it has no kernel with dropout."""
    query_BRF, key_BSF, value_BSF = (part.flatten(0, 1) for part in (query, key, value))
    base = query.new_zeros(()) if mask is None else mask
    scores_BRS = torch.baddbmm(base, query_BRF, key_BSF.transpose(1, 2), alpha=query.shape[-1] ** -0.5)
    weights_BRS = scores_BRS.softmax(-1)
    if read is None:
        weights_BRS = F.dropout(weights_BRS, share)
    else:  # draws for all tokens, as above
        B, _, S = weights_BRS.shape
        weights_BRS = weights_BRS * F.dropout(weights_BRS.new_ones(B, read.tokens, S), share)[:, read.places]
    return torch.bmm(weights_BRS.to(value.dtype), value_BSF).view(query.shape)


class Mlp(nn.Module):
    """The feed-forward half of a block."""

    def __init__(self, shape: Gpt2Shape) -> None:
        super().__init__()
        self.share = shape.resid_pdrop
        self.c_fc: Any = Projection(shape.hidden_size, shape.n_inner)
        self.c_proj: Any = Projection(shape.n_inner, shape.hidden_size)
        self.gelu = shape.activation_function != "relu"

    def forward(self, x_MD: Tensor, read: Read | None = None) -> Tensor:
        """Transform rows, (M, D) to (M, D)."""
        raised_MI = self.c_fc(x_MD, read)
        # GPT-2's own, `gelu_new`, is the tanh form; this is one kernel
        bent_MI = F.gelu(raised_MI, approximate="tanh") if self.gelu else F.relu(raised_MI)
        return drop(self.c_proj(bent_MI, read), self.share, self.training, read)


class Block(nn.Module):
    """Attention and feed-forward layers, each behind a norm and beside what comes in."""

    def __init__(self, shape: Gpt2Shape) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_epsilon)
        self.attn = Attention(shape)
        self.ln_2 = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_epsilon)
        self.mlp = Mlp(shape)

    def forward(self, x_MD: Tensor, run: _Pass, past: KeyValues | None, read: Read | None) -> Tensor:
        """Transform rows (M, D), or those of them that are read."""
        if run.by_hand:
            return self._by_hand(x_MD, run, read)
        found = self.attn(self.ln_1(x_MD), run, past, read)
        x_KD = found + (x_MD if read is None else read.pick(x_MD))
        return x_KD + self.mlp(self.ln_2(x_KD), read)  # type: ignore[no-any-return]

    def _by_hand(self, x_MD: Tensor, run: _Pass, read: Read | None) -> Tensor:
        """Do the same in few steps of autograd."""
        attn, mlp, share = self.attn, self.mlp, self.attn.share if self.training else 0.0
        joined = attn.joined(normed_projection(x_MD, self.ln_1, attn.c_attn.parts, read), run, None, read)
        projection = attn.c_proj
        if isinstance(projection, HeadMixing):
            joined, projection = projection.mixed(joined), projection.projection
        x_KD = added_projection(joined, x_MD, projection.parts, share, read)
        return feed_forward(x_KD, self.ln_2, mlp.c_fc.parts, mlp.c_proj.parts, mlp.gelu, share, read)


class Gpt2Trunk(nn.Module):
    """GPT-2 without its head."""

    def __init__(self, shape: Gpt2Shape) -> None:
        """Weights are not drawn; `gpt2_weights` draws or reads them."""
        super().__init__()
        self.config = shape
        width = shape.hidden_size
        self.wte = nn.Embedding(shape.vocab_size, width, _weight=torch.empty(shape.vocab_size, width))
        positions = shape.max_position_embeddings
        self.wpe = nn.Embedding(positions, width, _weight=torch.empty(positions, width))
        self.h = nn.ModuleList(Block(shape) for _ in range(shape.num_hidden_layers))
        self.ln_f = nn.LayerNorm(width, eps=shape.layer_norm_epsilon)
        self.by_hand = True
        """Whether gradients may be made without autograd: the same numbers in a third of the operator calls."""
        self.in_part = True
        """Whether the last block may be computed for what is read alone; the numbers are the same either way."""
        self._table: Tensor | None = None

    def get_input_embeddings(self) -> nn.Embedding:
        """Return the table of words, under transformers' name."""
        return self.wte

    def attentions(self) -> list[Attention]:
        """Return the attention layers in their order."""
        return [block.attn for block in self.h if isinstance(block, Block)]

    def forward(
        self,
        tokens_NLD: Tensor,
        cache: TrunkCache | None = None,
        *,
        add_positions: bool = True,
        places: slice | None = None,
    ) -> Tensor:
        """Run vectors that stand behind those in `cache`; returns hidden vectors (N, R, D) of the tokens at `places`.

        None reads all of them. `add_positions=False` leaves the table of position embeddings out.
        """
        N, L, D = tokens_NLD.shape
        past = 0 if cache is None else cache.tokens
        if add_positions:
            tokens_NLD = tokens_NLD + self.wpe.weight[past : past + L]
        x_MD = tokens_NLD.reshape(N * L, D)
        run = _Pass(N, L, past, self._masks, by_hand=cache is None and self._takes_gradients_by_hand(x_MD))
        x_MD = self._dropped(x_MD, by_hand=run.by_hand)
        last = len(self.h) - 1
        for number, block in enumerate(self.h):
            read = Read(N, L, places) if number == last and places is not None and self.in_part else None
            x_MD = block(x_MD, run, None if cache is None else cache.layers[number], read)
        if cache is not None:
            cache.tokens += L
        hidden_NLD = self.ln_f(x_MD).view(N, -1, D)
        return hidden_NLD if places is None or self.in_part else hidden_NLD[:, places]  # type: ignore[no-any-return]

    def _dropped(self, x_MD: Tensor, *, by_hand: bool) -> Tensor:
        share = self.config.embd_pdrop if self.training else 0.0
        return silenced(x_MD, residual_noise(x_MD, share, None), share) if by_hand else drop(x_MD, share, True)

    def _takes_gradients_by_hand(self, x_MD: Tensor) -> bool:
        """Return whether there are gradients to make, of one precision; autocast leaves them to autograd."""
        plain = x_MD.dtype == self.ln_f.weight.dtype and not torch.is_autocast_enabled(x_MD.device.type)
        tapped = any(layer.tap is not None for layer in self.attentions())
        return torch.is_grad_enabled() and plain and self.by_hand and not tapped

    def _masks(self, size: int) -> Tensor:
        """Return the table of masks, made anew when it is too small or on another device than the weights."""
        device = self.ln_f.weight.device
        if self._table is None or self._table.device != device or len(self._table) < size:
            least = max(64, 2 * size)
            with torch.inference_mode(False):  # training may go on with what an evaluation has made
                self._table = torch.full((least, least), -torch.inf, device=device).triu(1)
        return self._table
