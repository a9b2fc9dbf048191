"""Settings of a pre-training and the events that it yields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CorpusKind = Literal["text", "shuffled", "markov"]


@dataclass(frozen=True)
class PretrainConfig:
    """Shape of the model and how it is trained; the learning rate falls linearly in time or steps to zero."""

    layers: int = 4
    width: int = 256
    heads: int = 8
    vocabulary: int = 4096
    steps: int = 3_000
    batch_size: int = 8
    sequence: int = 256
    """Tokens of a row, and the longest input of the model: later positions would stay untrained."""
    matrix_rate: float = 0.02
    """Learning rate of Muon, for the weight matrices."""
    learning_rate: float = 3e-3
    """Learning rate of AdamW, for tables, norms and biases."""
    weight_decay: float = 0.01
    """On the weight matrices alone."""
    warmup: float = 0.03
    """Share of the training in which the learning rate rises."""
    clip: float = 1.0
    corpus: CorpusKind = "text"
    """The text as it is, its words in random order, or a Markov chain that needs no text."""
    states: int = 100
    """Words that the Markov chain is over (Wang et al. 2024)."""
    tokenizer: str = ""
    """Model whose tokenizer is used; empty trains one on the text."""
    seed: int = 0
    device: str = "cpu"
    time_limit: float = 0.0
    """Minutes after which the schedule has ended even if fewer steps are done; 0 is no limit."""
    save_every: int = 250


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
