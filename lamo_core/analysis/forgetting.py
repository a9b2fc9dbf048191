"""How much language a trunk forgets: its next-token loss on held-out text, before training and at kept checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lamo_core.errors import MissingError, UsageError
from lamo_core.files import numbered_checkpoints
from lamo_core.language.blocks import draw_words
from lamo_core.language.corpora import documents, encode_documents, read_text, split_documents
from lamo_core.model.backbone import Backbone, load_backbone, next_token_loss
from lamo_core.model.policy import Policy
from lamo_core.training.checkpoint import build_policy, read_checkpoint
from lamo_core.wording import plural

_BLOCKS = 16
_LENGTH = 128
_SEED_APART = 1_000_003
"""Added to the run's seed: the words are not those that the run itself may have rehearsed."""


@dataclass(frozen=True)
class LanguageLoss:
    """The loss at one step."""

    step: int
    loss: float
    """Mean next-token cross-entropy, in nats."""


def kept_checkpoints(path: Path) -> list[Path]:
    """Return the numbered checkpoints beside a checkpoint and itself, oldest first, each content once."""
    beside = numbered_checkpoints(path.parent) if path.parent.name == "checkpoints" else []
    if path.name == "last.pt" and beside:
        return beside
    return beside if path in beside else [*beside, path]


def held_out_words(backbone: Backbone, text: Path | None, seed: int) -> Tensor:
    """Return blocks of word ids (B, T) that no training has seen.

    Without a text file the backbone, as it was loaded, writes them itself: its loss on its own text is its entropy,
    and what the loss rises by is the divergence of the trained trunk from the pre-trained one. A text gives the part
    that pre-training would hold out. Raises `MissingError` when the backbone has no tokenizer, `UsageError` for a
    text that is too short.
    """
    length = min(_LENGTH, backbone.positions)
    if backbone.tokenizer is None:
        raise MissingError(f"{backbone.name} has no tokenizer, so there is no language that it could forget")
    if text is None:
        return torch.from_numpy(draw_words(backbone, _BLOCKS, length, seed + _SEED_APART))
    _, held_out = split_documents(documents(read_text(text)))
    words_N = encode_documents(backbone.tokenizer, held_out)
    count = min(_BLOCKS, len(words_N) // length)
    if count < 1:
        raise UsageError(
            f"{text} holds out {len(words_N)} {plural('word', len(words_N))}, and {length} are needed; name a longer "
            "text"
        )
    return torch.from_numpy(words_N[: count * length].reshape(count, length).astype("int64"))


def language_losses(paths: Sequence[Path], text: Path | None = None) -> list[LanguageLoss]:
    """Return the loss of the pre-trained trunk (step 0) and of the trunk in every checkpoint; same words for all.

    Raises `MissingError` for a trunk without language, and what reading a checkpoint raises.
    """
    first = read_checkpoint(paths[0])
    fresh = load_backbone(first.backbone_name, dropout=0.0, attention_dropout=0.0, seed=first.config.seed)
    words_BT = held_out_words(fresh, text, first.config.seed)
    losses = {0: LanguageLoss(0, _loss(fresh, words_BT))}
    for path in paths:
        checkpoint = read_checkpoint(path)
        policy, _ = build_policy(checkpoint, torch.device("cpu"))
        if isinstance(policy, Policy):
            losses[checkpoint.step] = LanguageLoss(checkpoint.step, _loss(policy.backbone, words_BT))
    return sorted(losses.values(), key=lambda point: point.step)


def _loss(backbone: Backbone, words_BT: Tensor) -> float:
    backbone.model.eval()
    with torch.no_grad():
        return float(torch.stack([next_token_loss(backbone, row_1T[None]) for row_1T in words_BT]).mean())
