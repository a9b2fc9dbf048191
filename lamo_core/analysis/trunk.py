"""What a trunk makes of vectors like those that a policy gives it: does it change them, and does it keep them apart?

A trunk that returns what it is given is no trunk, and one that returns the same whatever it is given has collapsed;
comparisons with either say little of what was read (`docs/study.md`).

Shape suffixes: N inputs, L tokens of each, D width.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lamo_core.model.backbone import Backbone, load_backbone

_INPUTS, _TOKENS = 200, 5
_IDENTITY = 0.9
"""Cosine of output and input from which on a trunk hardly changes what it is given."""
_COLLAPSED, _PARTLY = 0.1, 0.45
"""Shares of the output's power that tells inputs apart, below which a trunk has collapsed, or has in part."""


@dataclass(frozen=True)
class TrunkMeasure:
    """A trunk on random inputs of a policy's size, each vector with mean 0 and variance 1."""

    growth: tuple[float, ...]
    """Norm of the residual stream after each block over that of the input; empty where blocks cannot be told apart."""
    cosine: float
    """Of the residual stream after the last block to the input, mean over tokens; NaN where it is not known."""
    told_apart: float
    """Share of the output's power (its mean square, last tokens) that differs between inputs."""
    rank: float
    """Effective rank of the outputs around their mean: the exponential of the entropy of their spectrum."""
    most_rank: int
    """The largest that the rank could be."""

    @property
    def verdict(self) -> str:
        """What is wrong with the trunk, in a few words; empty where nothing is."""
        if self.told_apart < _COLLAPSED:
            return "it has collapsed: nearly the same output for every input"
        if self.told_apart < _PARTLY:
            return "it has partly collapsed: most of its output is the same for every input"
        if self.cosine > _IDENTITY:
            return "it is close to the identity: it hardly changes what it is given"
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, None for what is not known."""
        values = asdict(self) | {"verdict": self.verdict}
        return {name: None if value != value else value for name, value in values.items()}


def measure_model(name: str, seed: int = 0) -> TrunkMeasure:
    """Measure a trunk by its name; weights that are drawn are those of `seed`. Raises as `load_backbone` does."""
    return measure_trunk(load_backbone(name, seed=seed))


@torch.no_grad()
def measure_trunk(backbone: Backbone) -> TrunkMeasure:
    """Measure a trunk, adapters included, on inputs that are the same every time; its mode is left as it was."""
    weight = backbone.word_table.weight
    generator = torch.Generator().manual_seed(0)
    drawn_NLD = torch.randn(_INPUTS, min(_TOKENS, backbone.positions), backbone.width, generator=generator)
    inputs_NLD = torch.nn.functional.layer_norm(drawn_NLD, (backbone.width,)).to(weight)
    training = backbone.model.training
    backbone.model.eval()
    try:
        with _watched(backbone) as residuals:
            outputs_NLD, _ = backbone.run(inputs_NLD)
    finally:
        backbone.model.train(training)
    flat_MD = inputs_NLD.flatten(0, 1).float()
    size = float(flat_MD.norm(dim=-1).mean())
    streams = [stream.reshape(flat_MD.shape).float() for stream in residuals]
    growth = tuple(float(stream_MD.norm(dim=-1).mean()) / size for stream_MD in streams)
    alike = float(torch.cosine_similarity(streams[-1], flat_MD, dim=-1).mean()) if streams else float("nan")
    last_ND = outputs_NLD[:, -1].float()
    around_ND = last_ND - last_ND.mean(0)
    power = float(last_ND.square().sum())
    return TrunkMeasure(
        growth=growth,
        cosine=alike,
        told_apart=float(around_ND.square().sum()) / power if power else 0.0,
        rank=_effective_rank(around_ND),
        most_rank=min(_INPUTS - 1, backbone.width),
    )


def _effective_rank(around_ND: Tensor) -> float:
    """Return the effective rank (Roy & Vetterli 2007) of centred rows."""
    power = torch.linalg.svdvals(around_ND).square()
    if not float(power.sum()):
        return 0.0
    shares = power / power.sum()
    return float(torch.exp(-(shares * shares.clamp_min(1e-12).log()).sum()))


@contextmanager
def _watched(backbone: Backbone) -> Iterator[list[Tensor]]:
    """Gather what every block returns while the block lasts; nothing where no list of modules is as long as theirs."""
    lists = (module for module in backbone.model.modules() if isinstance(module, nn.ModuleList))
    blocks = next((found for found in lists if len(found) == backbone.layers), ())
    size = _INPUTS * min(_TOKENS, backbone.positions) * backbone.width
    seen: list[Tensor] = []

    def note(_: nn.Module, __: Any, output: Any) -> None:
        stream = output[0] if isinstance(output, tuple) else output
        if isinstance(stream, Tensor) and stream.numel() == size:
            seen.append(stream.detach())

    hooks = [block.register_forward_hook(note) for block in blocks]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
