"""Settings of a pre-training and the events that it yields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from lamo_core.settings.strict import Range

CorpusKind = Literal["text", "shuffled", "markov"]

_COUNT = Range(1, 10**9, says="must be at least 1, not {value}")
_RATE = Range(0, 0.999999, above=True, says="must lie between 0 and 1, not {value}")


@dataclass(frozen=True)
class PretrainConfig:
    """Shape of the model and how it is trained; the learning rate falls linearly in time or steps to zero."""

    layers: Annotated[int, _COUNT] = 4
    """Blocks of the model."""
    width: Annotated[int, _COUNT] = 256
    """Features of a token; a multiple of the number of heads."""
    heads: Annotated[int, _COUNT] = 8
    """Attention heads of a block."""
    vocabulary: Annotated[int, Range(1, 2**22)] = 4096
    """Words of a tokenizer that is trained on the text; others have their own number."""
    steps: Annotated[int, _COUNT] = 3_000
    """Optimiser steps, unless the time limit comes first."""
    batch_size: Annotated[int, _COUNT] = 8
    """Rows of each step."""
    sequence: Annotated[int, _COUNT] = 256
    """Tokens of a row, and the longest input of the model: later positions would stay untrained."""
    matrix_rate: Annotated[float, _RATE] = 0.02
    """Learning rate of Muon, for the weight matrices."""
    learning_rate: Annotated[float, _RATE] = 3e-3
    """Learning rate of AdamW, for tables, norms and biases."""
    weight_decay: Annotated[float, Range(0, 10)] = 0.01
    """On the weight matrices alone."""
    warmup: Annotated[float, Range(0, 0.99)] = 0.03
    """Share of the training in which the learning rate rises."""
    clip: Annotated[float, Range(0, 1e9)] = 1.0
    """Largest gradient norm."""
    corpus: CorpusKind = "text"
    """The text as it is, its words in random order, or a Markov chain that needs no text."""
    states: Annotated[int, _COUNT] = 100
    """Words that the Markov chain is over (Wang et al. 2024)."""
    tokenizer: str = ""
    """Model whose tokenizer is used; empty trains one on the text."""
    seed: Annotated[int, Range(0, 2**31 - 1)] = 0
    """Drives first weights and the order of the text."""
    device: str = "cpu"
    """`cpu`, `cuda`, `cuda:N` or `mps`."""
    time_limit: Annotated[float, Range(0, 1e9)] = 0.0
    """Minutes after which the schedule has ended even if fewer steps are done; 0 is no limit."""
    save_every: Annotated[int, _COUNT] = 250
    """Steps between checkpoints."""


@dataclass(frozen=True)
class PretrainStep:
    """One optimiser step; `loss` is the mean cross-entropy in nats per token."""

    step: int
    steps: int
    progress: float
    loss: float
    learning_rate: float
    tokens: int
    tokens_per_second: float
    elapsed: float


@dataclass(frozen=True)
class PretrainSaved:
    """A checkpoint and an exported model were written; `held_out_loss` is in nats per token."""

    step: int
    held_out_loss: float
    folder: Path


@dataclass(frozen=True)
class PretrainStopped:
    """The end: `finished`, or `stop` when it was asked to stop and can be resumed."""

    step: int
    reason: str


PretrainEvent = PretrainStep | PretrainSaved | PretrainStopped
