"""Wiki-RL's pull of trajectory embeddings towards clusters of word embeddings (Reid et al. 2022).

Shape suffixes: V words, C clusters, D width, N tokens.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lamo_core.model.backbone import Backbone
from lamo_core.model.losses import real_steps, sum_of_real

_ROUNDS = 20
_ROWS_AT_ONCE = 8_192


class Alignment(nn.Module):
    """The term: minus the cosine between an embedded token and its nearest cluster of words."""

    centres: Tensor

    def __init__(self, backbone: Backbone, clusters: int) -> None:
        """At most a quarter as many clusters as there are words; `word_clusters` fills them in."""
        super().__init__()
        count = max(1, min(clusters, backbone.word_table.num_embeddings // 4))
        self.register_buffer("centres", torch.zeros(count, backbone.width))

    def loss(self, tokens_NLD: Tensor, mask_NL: Tensor) -> Tensor:
        """Return the sum over real tokens, divided by three: the tokens of a step count as one."""
        real_NLD = real_steps(tokens_NLD.float(), mask_NL)
        cosines_NLC = F.normalize(real_NLD, dim=-1) @ F.normalize(self.centres, dim=-1).T
        return -sum_of_real(cosines_NLC.amax(-1), mask_NL) / 3


def share_left(step: int, steps: int) -> float:
    """Return the share of the weight that is left at a step: a sigmoid from 0.99 to 0.01 in `steps`, as published."""
    return 1 / (1 + math.exp(min(10 * step / steps - 5, 700.0)))


@torch.no_grad()
def word_clusters(backbone: Backbone, clusters: int, seed: int) -> Tensor:
    """Return the centres (C, D) of a k-means over the directions of the word embeddings.

    Lloyd's rounds with cosines, from words drawn with `seed`; a centre that loses all its words stays where it was.
    """
    words_VD = F.normalize(backbone.word_table.weight.detach().float().cpu(), dim=-1)
    drawn = torch.randperm(len(words_VD), generator=torch.Generator().manual_seed(seed))[:clusters]
    centres_CD = words_VD[drawn].clone()
    for _ in range(_ROUNDS):
        nearest_V = torch.cat([(part @ centres_CD.T).argmax(-1) for part in torch.split(words_VD, _ROWS_AT_ONCE)])
        sums_CD = torch.zeros_like(centres_CD).index_add_(0, nearest_V, words_VD)
        held_C1 = torch.bincount(nearest_V, minlength=clusters).unsqueeze(-1) > 0
        moved_CD = torch.where(held_C1, F.normalize(sums_CD, dim=-1), centres_CD)
        if torch.equal(moved_CD, centres_CD):
            break
        centres_CD = moved_CD
    return centres_CD
