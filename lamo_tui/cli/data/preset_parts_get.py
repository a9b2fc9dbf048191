"""`lamo data get PRESET`: the data and the language model that a preset trains with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lamo_core.data.source_names import PUBLISHED
from lamo_core.data.sources.fetch import plan_get
from lamo_core.errors import MissingError
from lamo_core.model.hub import download, require_model
from lamo_core.network import hub_reached
from lamo_core.settings.presets import resolve
from lamo_tui.cli.data.data_fetch import dry_run_of, fetch, say_plan
from lamo_tui.cli.output import emit_json, say
from lamo_tui.format import file_size


def get_preset(name: str, folder: Path | None, *, dry_run: bool, as_json: bool) -> None:
    """Say what a preset needs and how much of it is to be fetched, and fetch that unless `dry_run`.

    Raises `MissingError` where something cannot be had, and as fetching does.
    """
    config = resolve(name).config
    result: dict[str, Any] = {"preset": name, "data": None, "model": _model_plan(config.model.backbone)}
    if config.data.source in PUBLISHED:
        plan = plan_get(config.data.set, config.data.source, folder)
        result["data"] = dry_run_of(plan)
        if not as_json:
            say_plan(result["data"])
    elif not as_json:
        say(f"{config.data.set} ships with lamo")
    if not as_json:
        _say_model(result["model"])
    if not dry_run:
        if result["data"] is not None:
            result["data"] = fetch(plan)
        if not result["model"]["here"]:
            result["model"] = {**result["model"], "here": True, "folder": str(_get_model(config.model.backbone))}
    if as_json:
        emit_json(result)
    elif not dry_run:
        say(f"next: lamo train --preset {name}")


def _model_plan(backbone: str) -> dict[str, Any]:
    """Return whether a language model is here, and the command that gets it."""
    try:
        require_model(backbone)
    except MissingError as error:
        return {"name": backbone, "here": False, "bytes": _model_bytes(backbone), "missing": str(error)}
    return {"name": backbone, "here": True, "bytes": 0, "missing": ""}


def _model_bytes(backbone: str) -> int | None:
    """Return the bytes of a model's weights as the hub tells them; None where it does not."""
    with hub_reached() as problem:
        if problem:
            return None
        try:
            from huggingface_hub import HfApi

            info = HfApi().model_info(backbone, files_metadata=True)
        except Exception:  # the hub's client raises errors of several libraries
            return None
    sizes = [file.size or 0 for file in info.siblings or () if file.rfilename.endswith(".safetensors")]
    return sum(sizes) or None


def _get_model(backbone: str) -> Path:
    return download(backbone)


def _say_model(model: dict[str, Any]) -> None:
    if model["here"]:
        say(f"the language model {model['name']} is here")
    else:
        size = "unknown size" if model["bytes"] is None else file_size(model["bytes"])
        say(f"{size:>12}  the language model {model['name']}, from the hub")
