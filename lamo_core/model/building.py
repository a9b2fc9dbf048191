"""Causal language models of transformers, built from their description and filled with weights."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lamo_core.errors import DataError, LamoError, MissingError
from lamo_core.model.folder import loaded_files
from lamo_core.model.gpt2.eight_bit import is_packed, unpack
from lamo_core.model.hub import Located
from lamo_core.model.library import without_loading_report
from lamo_core.model.sizing.sizes import check_numbers, stored_numbers, weigh
from lamo_core.wording import counted

_OURS = ("dtype", "torch_dtype", "weights", "quantization_config")
"""What a description says of the file and not of the model."""
_NO_REGULAR_DROPOUT = ("classif", "summary", "seq_", "cls")
"""Parts of names of dropout in heads that a trunk does not have."""
_ALWAYS_OFF = ("layerdrop", "drop_path", "activation_", "relu_")


def random_model(described: Mapping[str, Any], name: str, seed: int, dropout: float, attention_dropout: float) -> Any:
    """Return a causal model with random weights of the shape that is described, in float32; raises as `load_model`."""

    def build() -> nn.Module:
        config = make_config(described, name, dropout, attention_dropout)
        return causal_class(config, name)(_own_config(config, name))  # type: ignore[no-any-return]

    built(lambda: weigh(build, name), name)
    torch.manual_seed(seed)
    return built(build, name).float()


def load_model(found: Located, dropout: float, attention_dropout: float) -> Any:
    """Return a causal model with its weights, in float32.

    transformers gets a description and tensors, not a folder: it opens no other file there. Raises `DataError` for
    what is damaged, does not belong together or is no causal language model, `DeviceError` where memory is too small.
    """
    files = loaded_files(found.folder)
    config = make_config(found.config, found.name, dropout, attention_dropout)
    model_class, own = causal_class(config, found.name), _own_config(config, found.name)
    stored = stored_numbers(files)
    built(
        lambda: weigh(lambda: model_class(copy.deepcopy(own)), found.name, stored, whole=found.blocks is None),
        found.name,
    )
    model, report = built(lambda: _filled(model_class, own, files, packed=is_packed(found.config)), found.name)
    missing = sorted(report["missing_keys"])
    if missing:
        raise DataError(f"{found.name} lacks {counted(len(missing), 'tensor')} such as {missing[0]}; get it again")
    return model


def make_config(described: Mapping[str, Any], name: str, dropout: float, attention_dropout: float) -> Any:
    """Return transformers' config of a description, with dropout as asked for and no key-value cache.

    Raises `DataError` for a family that transformers does not know and for a description that makes no config.
    """
    check_numbers(described, f"the config.json of {name}")
    values = {key: value for key, value in described.items() if key not in _OURS}
    family = values.pop("model_type")
    config = built(lambda: _family_config(family, values), name)
    built(lambda: _set_dropout(config, dropout, attention_dropout), name)
    if family == "gpt2" and str(config.activation_function).startswith("gelu"):
        config.activation_function = "gelu_pytorch_tanh"  # the same function as gelu_new, in one kernel
    config.use_cache = False
    return config


def causal_class(config: Any, name: str) -> Any:
    """Return the class of causal models that a config belongs to; raises `DataError` where there is none."""
    if config.model_type == "gpt2":
        from transformers.models.gpt2.modeling_gpt2 import GPT2LMHeadModel

        return GPT2LMHeadModel
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    try:
        return MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    except KeyError as error:
        raise DataError(
            f"{name} is of the family {config.model_type!r}, which has no causal language model; use one that has"
        ) from error
    except ImportError as error:
        raise MissingError(f"{name} needs a library that is not here ({one_line(error)}); install it") from error


def dropout_settings(config: Any) -> set[str]:
    """Return which of `dropout` and `attention_dropout` a family heeds."""
    return {kind for _, _, kind in _dropouts(config) if kind}


def one_line(error: BaseException) -> str:
    """Return the first line of what an error says, cut to a readable length; its class where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    if text.startswith("Class validation error") or text.startswith("Validation error"):
        text = lines[-1]
    return text[:200]


def _family_config(family: str, values: dict[str, Any]) -> Any:
    if family == "gpt2":
        from transformers.models.gpt2.configuration_gpt2 import GPT2Config

        return GPT2Config(**values)
    from transformers import AutoConfig
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if family not in CONFIG_MAPPING:
        raise DataError(f"the family {family[:60]!r} is none that transformers {_version()} knows; use another model")
    return AutoConfig.for_model(family, **values)


def _own_config(config: Any, name: str) -> Any:
    """Return the part of a config that its causal model is built from: of several parts that of its class."""
    own: Any = getattr(causal_class(config, name), "config_class", None)
    parts: Mapping[str, Any] = getattr(config, "sub_configs", {})
    part = next((key for key, kind in parts.items() if kind is own), None)
    return config if part is None else getattr(config, part)


def _filled(model_class: Any, config: Any, files: Iterable[Any], *, packed: bool) -> tuple[Any, dict[str, Any]]:
    from safetensors.torch import load_file
    from transformers.utils import logging

    logging.disable_progress_bar()
    weights: dict[str, Tensor] = {}
    for path in files:
        weights |= load_file(path)
    with without_loading_report():  # old buffers in the file are none of the user's concern
        return model_class.from_pretrained(  # type: ignore[no-any-return]
            None,
            config=config,
            state_dict=unpack(weights) if packed else weights,
            dtype=torch.float32,
            output_loading_info=True,
        )


def built(make: Any, name: str) -> Any:
    """Return what `make` returns; what a wrong description makes transformers raise has no end."""
    try:
        return make()
    except (LamoError, MemoryError):
        raise
    except ImportError as error:
        raise MissingError(f"{name} needs a library that is not here ({one_line(error)}); install it") from error
    except Exception as error:
        raise DataError(
            f"no model can be made of the config.json and weights of {name} ({one_line(error)}): "
            f"they are damaged, or transformers {_version()} cannot build them; get it again, or use another model"
        ) from error


def _set_dropout(config: Any, dropout: float, attention_dropout: float) -> None:
    for part, key, kind in _dropouts(config):
        rate = {"dropout": dropout, "attention_dropout": attention_dropout, "": 0.0}[kind]
        if getattr(part, key) != rate:
            setattr(part, key, rate)


def _dropouts(config: Any) -> list[tuple[Any, str, str]]:
    """Return every rate of dropout of a config and its parts, with the setting that it follows, "" for none."""
    from transformers import PreTrainedConfig

    found = []
    for key, value in list(vars(config).items()):
        if isinstance(value, PreTrainedConfig):
            found += _dropouts(value)
        elif "drop" in key and isinstance(value, int | float) and not isinstance(value, bool):
            if any(part in key for part in _NO_REGULAR_DROPOUT):
                continue
            off = any(part in key for part in _ALWAYS_OFF)
            found.append((config, key, "" if off else "attention_dropout" if "att" in key else "dropout"))
    return found


def _version() -> str:
    import transformers

    return str(transformers.__version__)


def weights_hash(named: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names and values in the order of the names."""
    digest = hashlib.sha256()
    for name, value in sorted(named.items()):
        digest.update(name.encode())
        digest.update(value.detach().contiguous().numpy().data)
    return digest.hexdigest()
