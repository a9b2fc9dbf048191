"""Weights in eight bits with a scale for each row: half the size of half precision, for models that ship.

A model's folder says so in config.json, `"weights": "int8-rows"`; its safetensors file then holds every matrix as int8
and its scales beside it. Loading turns them back into float32, so nothing else knows of it.

Shape suffixes: R rows, C columns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lamo_core.errors import DataError, UsageError
from lamo_core.files import write_bytes
from lamo_core.model.folder import model_file
from lamo_core.model.hub import Located

INT8_ROWS = "int8-rows"
"""Value of `weights` in config.json."""
_SCALE = ".scale"
_LARGEST = 127
# the card tells what was measured of the weights as they were, so it is made anew
_BESIDE = ("tokenizer.json", "training.json")


def is_packed(config: Mapping[str, Any]) -> bool:
    """Return whether a model's config.json says that its weights are in eight bits."""
    return config.get("weights") == INT8_ROWS


def pack(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Round every matrix (R, C) to int8 with a float32 scale for each row; the rest becomes float16."""
    packed: dict[str, Tensor] = {}
    for name, value in weights.items():
        if value.ndim != 2:
            packed[name] = value.half().contiguous()
            continue
        matrix_RC = value.float()
        scale_R1 = matrix_RC.abs().amax(1, keepdim=True).clamp(min=1e-12) / _LARGEST
        packed[name] = (matrix_RC / scale_R1).round().to(torch.int8).contiguous()
        packed[name + _SCALE] = scale_R1.contiguous()
    return packed


def unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return float32 weights from what `pack` made; raises `DataError` where a scale is missing or does not fit."""
    weights: dict[str, Tensor] = {}
    for name, value in packed.items():
        if name.endswith(_SCALE):
            continue
        weights[name] = value.float()
        if value.dtype == torch.int8:
            scale_R1 = packed.get(name + _SCALE)
            if scale_R1 is None or scale_R1.shape != (len(value), 1):
                raise DataError(f"the scales of {name} are missing or do not fit; get the model again")
            weights[name] *= scale_R1
    return weights


def read_packed(paths: tuple[Path, ...]) -> dict[str, Tensor]:
    """Return the float32 weights of packed safetensors files; raises `DataError` and safetensors' errors."""
    from safetensors.torch import load_file

    packed: dict[str, Tensor] = {}
    for path in paths:
        packed |= load_file(path)
    return unpack(packed)


def write_packed(source: Located, folder: Path) -> int:
    """Write a GPT-2-shaped model again in eight bits, with tokenizer and training facts; returns its weights' bytes.

    Raises `UsageError` for a model that cannot be packed and a folder that holds something, `DataError` for a damaged
    file, `StorageError`.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save

    if is_packed(source.config):
        raise UsageError(f"{source.name} is in eight bits already; pack the model that it was made from")
    if len(source.weights) != 1 or source.config["model_type"] != "gpt2":
        raise UsageError(f"{source.name} is not GPT-2-shaped with one weights file; pack a model of `lamo pretrain`")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is there already and not empty; name a new folder")
    try:
        packed = pack(load_file(source.weights[0]))
    except (SafetensorError, OSError) as error:
        raise DataError(f"{source.weights[0]} could not be read ({error}); get the model again") from error
    files = {name: path.read_bytes() for name in _BESIDE if (path := model_file(source.folder, name)) is not None}
    files["config.json"] = (json.dumps({**source.config, "weights": INT8_ROWS}, indent=2) + "\n").encode()
    files["model.safetensors"] = save(packed, metadata={"format": "pt"})
    for name, content in files.items():
        write_bytes(folder / name, content, "another folder")
    return len(files["model.safetensors"])
