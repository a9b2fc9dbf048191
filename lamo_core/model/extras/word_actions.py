"""Actions in the language model's own vocabulary (RT-2, Brohan et al. 2023).

The rarest words of the vocabulary stand for actions: the last ones of a byte-pair vocabulary were merged last. An
action is heard through their word embeddings and spoken through the model's own word head, so nothing about actions
is new to the trunk.

Shape suffixes: N rows, D width, A actions or action dimensions, W words that stand for actions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lamo_core.errors import UsageError
from lamo_core.model.backbone import Backbone
from lamo_core.tasks.task import Task

_BINS = 256
"""Equal parts of [-1, 1] for a continuous action, as in RT-2."""


class WordActions(nn.Module):
    """Embed and read actions as words of the backbone.

    A discrete action is one word. Of a continuous action every dimension is a bin, and the bins' words are bound to
    their dimensions by learned signs and added up, so that a step stays three tokens long; dimensions are read apart.
    """

    words: Tensor

    def __init__(self, task: Task, backbone: Backbone) -> None:
        super().__init__()
        self.discrete, self.backbone = task.action_kind == "discrete", backbone
        count, vocabulary = task.actions if self.discrete else _BINS, backbone.word_table.num_embeddings
        if count >= vocabulary:
            raise UsageError(f"{backbone.name} has only {vocabulary} words; set model.action_tokens=own")
        self.register_buffer("words", torch.arange(vocabulary - count, vocabulary))
        signs = torch.randint(0, 2, (task.actions, backbone.width)).float() * 2 - 1
        self.roles = None if self.discrete else nn.Parameter(signs)

    def forward(self, actions: Tensor) -> Tensor:
        """Embed actions: (…) int64 or (…, A) float to (…, D)."""
        if self.roles is None:
            return self.backbone.word_table(self.words[actions])  # type: ignore[no-any-return]
        embedded = self.backbone.word_table(self.words[action_bins(actions)])
        return (embedded * self.roles).sum(-2) / len(self.roles) ** 0.5  # type: ignore[no-any-return]

    def read(self, hidden: Tensor) -> Tensor:
        """Read logits from hidden vectors (…, D): (…, A) of discrete actions, (…, A, W) of bins."""
        head = self.backbone.untied_head
        weight: Tensor = self.backbone.word_table.weight if head is None else head.weight  # type: ignore[assignment]
        table_WD = weight.to(hidden.device)[self.words].to(hidden.dtype)
        if self.roles is None:
            return hidden @ table_WD.T
        return (hidden.unsqueeze(-2) * self.roles) @ table_WD.T


def action_bins(actions: Tensor) -> Tensor:
    """Return the bins 0 … 255 of action values; those outside [-1, 1] fall into the outer bins."""
    return ((actions + 1) * (_BINS / 2)).long().clamp(0, _BINS - 1)


def mean_of_bins(logits: Tensor) -> Tensor:
    """Return the expected action values (…, A) of logits over bins (…, A, W)."""
    middles_W = (torch.arange(_BINS, device=logits.device) + 0.5) * (2 / _BINS) - 1
    return logits.float().softmax(-1) @ middles_W
