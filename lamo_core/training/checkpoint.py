"""Checkpoints: only what was trained, plain data, written atomically, loaded with `weights_only=True`."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lamo_core.baselines.make import make_markov_policy
from lamo_core.config import RunConfig
from lamo_core.errors import CheckpointError, LamoError, UsageError
from lamo_core.evaluation.contexts import Actor
from lamo_core.files import write_atomically
from lamo_core.methods import METHODS
from lamo_core.model.backbone import Backbone, load_backbone
from lamo_core.model.lora.adapters import adapt
from lamo_core.model.policy import Policy, PolicyStatistics
from lamo_core.model.sizing.sizes import outline
from lamo_core.tasks.registry import task_of
from lamo_core.untrusted.plain_text import is_plain, one_line, plain_line
from lamo_core.untrusted.tensor_file import load_tensors

FORMAT = "lamo-checkpoint"
VERSION = 1
_MAX_TIMESTEPS = 10_000_000
_MAX_STEP = 10**12
_NO_FIT = "this checkpoint does not fit the model of its config"
_LONGEST_NAME = 4096


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds, checked but not yet built."""

    config: RunConfig
    step: int
    backbone_name: str
    backbone_hash: str
    statistics: PolicyStatistics
    data: dict[str, Any]
    """Facts about the data: set, episodes, transitions, mean return, targets."""
    weights: dict[str, Tensor]
    """Trained tensors and buffers by their name in the policy."""
    training: dict[str, Any] | None
    """Optimiser, sampler and generator states; None in a checkpoint that is only for acting."""


def trained_weights(policy: nn.Module) -> dict[str, Tensor]:
    """Return what training changes of the trunk, and everything outside it: parameters and buffers, on the CPU."""
    parameters = {
        name: p.detach().cpu() for name, p in policy.named_parameters() if p.requires_grad or _outside_trunk(name)
    }
    return parameters | {name: b.cpu() for name, b in policy.named_buffers() if _outside_trunk(name)}


def _outside_trunk(name: str) -> bool:
    return not name.startswith("trunk.")


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint so that `path` is either the old file or the whole new one; raises `StorageError`."""
    payload = {
        "format": FORMAT,
        "version": VERSION,
        "config": checkpoint.config.to_dict(),
        "step": checkpoint.step,
        "backbone": {"name": checkpoint.backbone_name, "hash": checkpoint.backbone_hash},
        "statistics": asdict(checkpoint.statistics),
        "data": checkpoint.data,
        "weights": checkpoint.weights,
        "digest": _digest(checkpoint.weights),
        "training": checkpoint.training,
    }
    write_atomically(path, lambda file: torch.save(payload, file), "LAMO_RUNS=FOLDER")


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and check a checkpoint; raises `UsageError` (no such file) or `CheckpointError` (anything wrong with it)."""
    if not path.is_file():
        raise UsageError(f"there is no checkpoint {path}; `lamo runs` lists what has been trained")
    payload = load_tensors(path, "use another checkpoint, `lamo train` keeps several in a run")
    # of exactly these kinds: comparing a tensor would give another one
    written, version = (payload.get(key) if isinstance(payload, dict) else None for key in ("format", "version"))
    if not isinstance(written, str) or written != FORMAT or type(version) is not int or version >> 32:
        raise CheckpointError(f"{path} is not a lamo checkpoint; `lamo train` writes them below checkpoints/")
    if version != VERSION:
        raise CheckpointError(f"{path} has format version {version}, this lamo reads {VERSION}; update lamo")
    try:
        checkpoint = _parse(payload)
        intact = payload["digest"] == _digest(checkpoint.weights)
    except UsageError as error:  # of the configuration, whole but not one of this version
        raise CheckpointError(f"{path} is of another version of lamo: {one_line(error)}; update lamo") from error
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError, LamoError) as error:
        raise CheckpointError(f"{path} is damaged: {one_line(error)}; use another checkpoint") from error
    if not intact:
        raise CheckpointError(f"{path} is damaged: its weights do not match their checksum; use another checkpoint")
    return checkpoint


def keep_for_acting(path: Path) -> None:
    """Leave what acting needs in a checkpoint; raises as `read_checkpoint` and `write_checkpoint` do."""
    checkpoint = read_checkpoint(path)
    if checkpoint.training is not None:
        write_checkpoint(path, replace(checkpoint, training=None))


def _is_plain(tensor: Any) -> bool:
    """Return whether this is a dense tensor whose every element lies in the file, not one stretched over a few."""
    if not isinstance(tensor, Tensor) or tensor.layout != torch.strided or tensor.device.type != "cpu":
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def _parse(payload: Mapping[str, Any]) -> Checkpoint:
    weights = payload["weights"]
    if not all(isinstance(name, str) and _is_plain(tensor) for name, tensor in weights.items()):
        raise TypeError("weights are not named plain tensors")
    statistics = payload["statistics"]
    steps, table = int(statistics["max_timestep"]), weights.get("embed_time.weight")
    # a model is built before its tensors are compared, so it must not be larger than they are
    if not 0 <= steps <= _MAX_TIMESTEPS or (table is not None and len(table) != steps + 1):
        raise ValueError("its timestep table has an absurd size")
    step = payload["step"]
    if type(step) is not int or not 0 <= step <= _MAX_STEP:
        raise ValueError("its step is none that a run takes")
    return Checkpoint(
        config=RunConfig.from_dict(payload["config"]),
        step=step,
        backbone_name=_name(payload["backbone"]["name"]),
        backbone_hash=_name(payload["backbone"]["hash"]),
        statistics=PolicyStatistics(
            return_scale=_divisor(statistics["return_scale"]),
            max_timestep=steps,
            state_mean=tuple(map(_finite, statistics["state_mean"])),
            state_std=tuple(map(_divisor, statistics["state_std"])),
        ),
        data=_facts(payload["data"]),
        weights=dict(weights),
        training=payload["training"],
    )


def _facts(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts about the data, those that acting and reports rest on checked."""
    numbers = {name: _finite(data[name]) for name in ("return_mean", "return_min", "return_max") if name in data}
    targets = [_finite(target) for target in data["targets"]]
    if not targets:
        raise ValueError("it names no return to ask for")
    return {**data, **numbers, "targets": targets}


def _name(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or not is_plain(value):
        raise ValueError("the name of its language model is none")
    return value


def _finite(value: Any) -> float:
    number = float(value)
    if isinstance(value, str) or not math.isfinite(number):
        raise ValueError("one of its numbers is not finite")
    return number


def _divisor(value: Any) -> float:
    number = _finite(value)
    if not number > 0:
        raise ValueError("its scale of returns or of states is not above 0")
    return number


def fresh_policy(config: RunConfig, backbone: Backbone, statistics: PolicyStatistics) -> tuple[Policy, list[str]]:
    """Adapt a backbone and build a policy around it; returns it and the names of the trunk's trained tensors."""
    adapted = _adapted(config, backbone)
    return _around(config, backbone, statistics), [f"trunk.{name}" for name in adapted]


def _adapted(config: RunConfig, backbone: Backbone) -> list[str]:
    model = config.model
    return adapt(
        backbone,
        model.adapter,
        rank=model.lora_rank,
        alpha=model.lora_alpha,
        dropout=model.lora_dropout,
        targets=model.lora_targets,
        projections=model.lora_projections,
        bias=model.lora_bias,
        mixing=model.attention_mixing,
    )


def _around(config: RunConfig, backbone: Backbone, statistics: PolicyStatistics) -> Policy:
    model = config.model
    return Policy(
        task_of(config.task),
        backbone,
        model,
        statistics,
        value=config.value if model.q_weight else None,
        learned_maximum=config.eval.target_rule == "learned-maximum",
        clusters=config.alignment.clusters if config.alignment.weight else 0,
    )


def build_policy(checkpoint: Checkpoint, device: torch.device) -> tuple[Actor, list[str]]:
    """Build a checkpoint's policy; returns it and the names of the trunk's trained tensors.

    Raises `MissingError` when its backbone is not on this machine, `CheckpointError` when that backbone has other
    weights than the one it was trained on or when tensors do not fit.
    """
    config, statistics, weights = checkpoint.config, checkpoint.statistics, checkpoint.weights
    policy: Actor
    if METHODS[config.method].memory:
        if config.model.timestep != "none" and "embed_time.weight" not in weights:
            raise CheckpointError(f"{_NO_FIT}: it has no timestep table")
        _check_rank(config, weights)
        backbone = _same_backbone(checkpoint)
        _check_sizes(lambda: _around(config, backbone, statistics), weights)
        policy, adapted = fresh_policy(config, backbone, statistics)
    else:
        _check_sizes(lambda: make_markov_policy(config, statistics), weights)
        policy, adapted = make_markov_policy(config, statistics), []
    load_weights(policy, weights)
    return policy.to(device), adapted


def _check_sizes(make: Callable[[], nn.Module], weights: Mapping[str, Tensor]) -> None:
    """Check what is outside of the trunk by a policy that takes no memory: a config may ask for more than there is."""
    hollow = outline(make)
    for name, expected in [*hollow.named_parameters(), *hollow.named_buffers()]:
        if _outside_trunk(name):
            if name not in weights:
                raise CheckpointError(f"{_NO_FIT}: {name} is on one side only")
            if weights[name].shape != expected.shape:
                raise CheckpointError(f"{_NO_FIT}: {name} has another shape")


def _check_rank(config: RunConfig, weights: Mapping[str, Tensor]) -> None:
    """Check that adapters are as large as the config says, before any are made."""
    if config.model.adapter == "lora":
        first = [tensor for name, tensor in weights.items() if ".lora_A." in name]
        if not first or any(config.model.lora_rank not in tensor.shape for tensor in first):
            raise CheckpointError(f"{_NO_FIT}: its adapters have another rank")


def _same_backbone(checkpoint: Checkpoint) -> Backbone:
    model = checkpoint.config.model
    backbone = load_backbone(
        checkpoint.backbone_name,
        dropout=model.dropout,
        attention_dropout=model.attention_dropout,
        seed=checkpoint.config.seed,
    )
    if backbone.content_hash != checkpoint.backbone_hash:
        raise CheckpointError(
            f"this checkpoint was trained on {checkpoint.backbone_name} with hash {checkpoint.backbone_hash[:12]}, "
            f"but the one here has {backbone.content_hash[:12]}; use the same version of that model"
        )
    return backbone


def load_weights(policy: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy trained tensors into a policy; raises `CheckpointError` unless names and shapes are exactly its own."""
    expected = trained_weights(policy)
    if expected.keys() != weights.keys():
        odd = sorted(expected.keys() ^ weights.keys())[0]
        raise CheckpointError(f"{_NO_FIT}: {plain_line(odd)[:100]} is on one side only")
    for name, tensor in weights.items():
        if tensor.shape != expected[name].shape:
            raise CheckpointError(f"{_NO_FIT}: {name} has another shape")
    policy.load_state_dict(dict(weights), strict=False)


def load_policy(path: Path, device: torch.device) -> tuple[Actor, RunConfig, dict[str, Any]]:
    """Load a checkpoint for acting: the policy in evaluation mode, its config, and facts about its data."""
    checkpoint = read_checkpoint(path)
    policy, _ = build_policy(checkpoint, device)
    policy.eval()
    return policy, checkpoint.config, checkpoint.data | {"step": checkpoint.step}


def _digest(weights: Mapping[str, Tensor]) -> str:
    sha = hashlib.sha256()
    for name in sorted(weights):
        sha.update(name.encode())
        sha.update(weights[name].contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()
