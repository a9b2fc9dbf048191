"""A checkpoint's policy as it was before its first step."""

from __future__ import annotations

import torch

from lamo_core.baselines.make import make_markov_policy
from lamo_core.evaluation.contexts import Actor
from lamo_core.methods import METHODS
from lamo_core.model.backbone import load_backbone
from lamo_core.model.embeddings import FrameEmbedding, PixelStatistics
from lamo_core.training.checkpoint import Checkpoint, fresh_policy
from lamo_core.training.streams import stream_seed


def initial_policy(checkpoint: Checkpoint) -> Actor:
    """Return the policy that a run's seed began with, on the CPU, in evaluation mode; the global stream is kept.

    It is made in the order of `training.session.new_session`; what that took from the data comes from the checkpoint.
    """
    config = checkpoint.config
    policy: Actor
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(config.seed, "initialisation"))
        if METHODS[config.method].memory:
            backbone = load_backbone(checkpoint.backbone_name, dropout=0.0, attention_dropout=0.0, seed=config.seed)
            sequence, _ = fresh_policy(config, backbone, checkpoint.statistics)
            pixels = _pixels(checkpoint, "embed_state")
            if isinstance(sequence.embed_state, FrameEmbedding) and pixels is not None:
                sequence.embed_state.centre(*pixels)
            policy = sequence
        else:
            policy = make_markov_policy(config, checkpoint.statistics, _pixels(checkpoint, ""))
    policy.eval()
    return policy


def _pixels(checkpoint: Checkpoint, prefix: str) -> PixelStatistics | None:
    """Return the mean frame and the spread that the checkpoint holds as buffers; None when frames are not centred."""
    if checkpoint.config.model.frames != "centred":
        return None
    names = [name for name in checkpoint.weights if name.startswith(prefix) and name.endswith(("mean", "scale"))]
    found = {name.rpartition(".")[2]: checkpoint.weights[name] for name in sorted(names)}
    if "scale" not in found or "mean" not in found or found["mean"].ndim != 2:
        return None
    return PixelStatistics(found["mean"], float(found["scale"]))
