"""A small real policy that learned nothing, as a checkpoint of a run; and an episode that it played."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from lamo_core.config import RunConfig
from lamo_core.evaluation.median_replays import keep_medians
from lamo_core.evaluation.rollout import rollout
from lamo_core.evaluation.rollout_spec import Asked, EpisodeResult
from lamo_core.model.backbone import load_backbone
from lamo_core.model.policy import PolicyStatistics
from lamo_core.runs.create import create_run
from lamo_core.runs.directory import RunDirectory
from lamo_core.training.checkpoint import Checkpoint, fresh_policy, load_policy, trained_weights, write_checkpoint

TARGET = 12.0

_HOME = tempfile.TemporaryDirectory()
_SHAPE = {"model_type": "gpt2", "vocab_size": 8, "n_positions": 64, "n_embd": 16, "n_layer": 2, "n_head": 2}


def tiny_config(task: str = "atari-breakout", **changes: object) -> RunConfig:
    """Return the config of a policy with a trunk of two small layers."""
    shape = Path(_HOME.name) / "tiny"
    shape.mkdir(exist_ok=True)
    (shape / "config.json").write_text(json.dumps(_SHAPE))
    return RunConfig.from_dict(
        {
            "name": "tiny",
            "device": "cpu",
            "task": {"name": task, "max_steps": 60},
            "model": {"backbone": f"random:{shape}", "context": 5, "lora_rank": 2, "dropout": 0.0},
            "eval": {"seed": 7, **changes},
        }
    )


def make_checkpoint(path: Path, config: RunConfig, *, seed: int = 0) -> Path:
    """Write a checkpoint of a policy with random weights."""
    backbone = load_backbone(config.model.backbone, seed=config.seed)
    torch.manual_seed(seed)
    policy, _ = fresh_policy(config, backbone, PolicyStatistics(20.0, 100))
    last = policy.head.layers[-1]
    assert isinstance(last, torch.nn.Linear)
    torch.nn.init.normal_(last.weight, std=0.3)  # decided enough to differ from chance
    weights = trained_weights(policy)
    facts = {"targets": [TARGET, 6.0], "return_mean": 5.0, "return_min": 1.0, "return_max": 13.0}
    write_checkpoint(
        path,
        Checkpoint(config, 3, backbone.name, backbone.content_hash, policy.statistics, facts, weights, None),
    )
    return path


def make_run(root: Path, config: RunConfig) -> RunDirectory:
    """Write a run with a checkpoint and a recorded episode."""
    run = create_run(root, config, {}, ["lamo", "train"])
    make_checkpoint(run.last_checkpoint, config)
    keep_medians(run.replays, [play(run.last_checkpoint)], config, 3)
    return run


def play(checkpoint: Path, seed: int = 7, target: float = TARGET) -> EpisodeResult:
    """Return the episode of an evaluation."""
    policy, config, _ = load_policy(checkpoint, torch.device("cpu"))
    asked = replace(Asked.by(config, [target], 1, record=True), seed=seed)
    return rollout(policy, config.task, asked)[0]
