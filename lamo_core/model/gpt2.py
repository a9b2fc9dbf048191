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
from functools import partial
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lamo_core.model.key_values import KeyValues, TrunkCache
from lamo_core.model.reading import Read, drop

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

    def forward(self, x_MI: Tensor, read: Read | None = None) -> Tensor:
        """Project rows (M, I) to (M, O); which of them they are, `read`, is all one here."""
        return torch.addmm(self.bias, x_MI, self.weight)

    def queries_apart(self, x_MI: Tensor, read: Read) -> tuple[Tensor, Tensor]:
        """Return the first third of the outputs for tokens that are read (K, O / 3), the rest for all (M, 2 O / 3)."""
        third = self.weight.shape[1] // 3
        queries = torch.addmm(self.bias[:third], read.pick(x_MI), self.weight[:, :third])
        return queries, torch.addmm(self.bias[third:], x_MI, self.weight[:, third:])


@dataclass(frozen=True)
class _Pass:
    """What all blocks share in one pass."""

    windows: int
    tokens: int
    past: int
    """Tokens in the cache."""
    table: Callable[[int], Tensor]
    """Returns attention masks (T, T) to add: nothing for earlier tokens, minus infinity for later ones."""

    def mask(self, places: slice, dtype: torch.dtype) -> Tensor | None:
        """Return the mask (R, S) of queries at `places`; None where they are the newest token alone, which sees all."""
        end = self.past + self.tokens
        first = range(*places.indices(self.tokens))[0]
        if first == self.tokens - 1:
            return None
        return self.table(end)[self.past : end, :end][places].to(dtype)


_ALL = slice(None)


class Attention(nn.Module):
    """Causal attention with one fused projection."""

    def __init__(self, shape: Gpt2Shape) -> None:
        super().__init__()
        width = shape.hidden_size
        self.heads, self.attention_share, self.share = shape.num_attention_heads, shape.attn_pdrop, shape.resid_pdrop
        self.c_attn: Any = Projection(width, 3 * width)
        self.c_proj: Any = Projection(width, width)
        self.tap: Tap | None = None

    def forward(self, x_MD: Tensor, run: _Pass, past: KeyValues | None, read: Read | None) -> Tensor:
        """Attend: rows (M, D) to (M, D), or to (K, D) for tokens that are read."""
        shape = (run.windows, -1, self.heads, x_MD.shape[-1] // self.heads)
        if read is None:
            parts = self.c_attn(x_MD).view(run.windows, -1, 3, *shape[2:]).unbind(2)
        else:
            query_KD, rest_M2D = self.c_attn.queries_apart(x_MD, read)
            parts = (query_KD.view(shape), *rest_M2D.view(run.windows, -1, 2, *shape[2:]).unbind(2))
        query, key, value = (part.transpose(1, 2) for part in parts)
        if past is not None:
            key, value = past.append(key, value)
        places = _ALL if read is None else read.places
        if self.tap is not None:
            self.tap(query, key, places)
        found = self._attend(query, key, value, run, places)
        joined = found.transpose(1, 2).reshape(-1, x_MD.shape[-1])
        return drop(self.c_proj(joined, read), self.share, self.training, read)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, run: _Pass, places: slice) -> Tensor:
        """Return what the heads find, (N, H, R, F)."""
        share = self.attention_share if self.training else 0.0
        if share and query.device.type != "cuda":
            return self._attend_openly(query, key, value, run, places)
        causal = places == _ALL and run.past == 0
        mask = None if causal else run.mask(places, query.dtype)
        return F.scaled_dot_product_attention(query, key, value, mask, share, causal)

    def _attend_openly(self, query: Tensor, key: Tensor, value: Tensor, run: _Pass, places: slice) -> Tensor:
        """Do the same with weights in the open, as SDPA does where it has no kernel with dropout, in fewer calls."""
        query_BRF, key_BSF, value_BSF = (part.flatten(0, 1) for part in (query, key, value))
        mask = run.mask(places, query.dtype)
        mask = query.new_zeros(()) if mask is None else mask
        scores_BRS = torch.baddbmm(mask, query_BRF, key_BSF.transpose(1, 2), alpha=query.shape[-1] ** -0.5)
        weights_BRS = self._dropped(scores_BRS.softmax(-1), run.tokens, places)
        return torch.bmm(weights_BRS.to(value.dtype), value_BSF).view(query.shape)

    def _dropped(self, weights_BRS: Tensor, tokens: int, places: slice) -> Tensor:
        if places == _ALL:
            return F.dropout(weights_BRS, self.attention_share)
        B, _, S = weights_BRS.shape
        noise_BLS = F.dropout(weights_BRS.new_ones(B, tokens, S), self.attention_share)
        return weights_BRS * noise_BLS[:, places]


class Mlp(nn.Module):
    """The feed-forward half of a block."""

    def __init__(self, shape: Gpt2Shape) -> None:
        super().__init__()
        self.share = shape.resid_pdrop
        self.c_fc: Any = Projection(shape.hidden_size, shape.n_inner)
        self.c_proj: Any = Projection(shape.n_inner, shape.hidden_size)
        chosen = activation(shape.activation_function)
        if chosen is None:
            raise ValueError(f"{shape.activation_function} is no activation of GPT-2")
        self.activation = chosen

    def forward(self, x_MD: Tensor, read: Read | None = None) -> Tensor:
        """Transform rows, (M, D) to (M, D)."""
        raised = self.activation(self.c_fc(x_MD, read))
        return drop(self.c_proj(raised, read), self.share, self.training, read)


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
        found = self.attn(self.ln_1(x_MD), run, past, read)
        x_KD = found + (x_MD if read is None else read.pick(x_MD))
        return x_KD + self.mlp(self.ln_2(x_KD), read)  # type: ignore[no-any-return]


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
        self._table: Tensor | None = None

    def get_input_embeddings(self) -> nn.Embedding:
        """Return the table of words, under transformers' name."""
        return self.wte

    def attentions(self) -> list[Attention]:
        """Return the attention layers in their order."""
        return [module for module in self.modules() if isinstance(module, Attention)]

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
        x_MD = drop(tokens_NLD.reshape(N * L, D), self.config.embd_pdrop, self.training)
        run = _Pass(N, L, past, self._masks)
        last = len(self.h) - 1
        for number, block in enumerate(self.h):
            read = Read(N, L, places) if number == last and places is not None else None
            x_MD = block(x_MD, run, None if cache is None else cache.layers[number], read)
        if cache is not None:
            cache.tokens += L
        return self.ln_f(x_MD).view(N, -1, D)  # type: ignore[no-any-return]

    def _masks(self, size: int) -> Tensor:
        """Return the table of masks, made anew when it is too small or on another device than the weights."""
        device = self.ln_f.weight.device
        if self._table is None or self._table.device != device or len(self._table) < size:
            least = max(64, 2 * size)
            with torch.inference_mode(False):  # training may go on with what an evaluation has made
                self._table = torch.full((least, least), -torch.inf, device=device).triu(1)
        return self._table


def activation(name: str) -> Callable[[Tensor], Tensor] | None:
    """Return the activation that configurations call so; None for one that is not GPT-2's."""
    if name.startswith("gelu"):
        return partial(F.gelu, approximate="tanh")  # the same function as gelu_new, in one kernel
    return F.relu if name == "relu" else None
