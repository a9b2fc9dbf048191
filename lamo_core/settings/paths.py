"""Paths in settings, made absolute: a run is evaluated and resumed from other folders than it was started in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lamo_core.settings.backbone_name import is_own, parse_backbone

_TEXTS = ("self", "wikitext-103")
"""Values of `language.source` that are no file."""
_MODELS = ("dt", "smollm2-135m")
"""Names of models that mean no folder, whatever lies around."""


def absolute_paths(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by dotted name, those that name a file or folder by its absolute path; links are kept."""
    made = dict(values)
    for name, absolute in (("model.backbone", _model), ("language.source", _text)):
        if isinstance(made.get(name), str):
            made[name] = absolute(made[name])
    return made


def _model(name: str) -> str:
    """Return a model's name, or a folder's path; names of lamo's own models come first, as when one is sought."""
    parsed = parse_backbone(name)
    own = parsed.model
    if not own.strip() or own in _MODELS or is_own(own):
        return name
    path = os.path.expanduser(own)  # os.path answers where pathlib raises: names may be longer than any file's
    named = own.startswith((".", "~")) or os.path.isdir(path)
    return str(replace(parsed, model=os.path.abspath(path))) if named else name


def _text(source: str) -> str:
    return source if source in _TEXTS or not source.strip() else os.path.abspath(os.path.expanduser(source))
