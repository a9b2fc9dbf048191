"""Names of trunks: `[random:|scaled:|permuted:]NAME[:BLOCKS]`, parsed here and nowhere else. Imports no torch."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from lamo_core.places import assets_dir, models_dir

Weights = Literal["trained", "random", "scaled", "permuted"]
DRAWN: tuple[str, ...] = get_args(Weights)[1:]
"""Weights that are drawn from a seed: controls of what pre-training brings."""
DESCRIPTIONS = {
    "trained": "the weights of its file",
    "random": "random weights as its family begins with, in GPT-2's case so small that the trunk is close to the "
    "identity",
    "scaled": "Gaussian weights with the trained model's standard deviation matrix by matrix, no biases, plain norms",
    "permuted": "the trained weights, the entries of each matrix shuffled",
}
"""What each kind of weights is, for people."""


@dataclass(frozen=True)
class BackboneName:
    """A trunk: which model's shape, which weights, how many of its blocks."""

    model: str
    """A name of `lamo lm list`, a hub id or a folder."""
    weights: Weights = "trained"
    blocks: int | None = None
    """The first so many blocks; None all."""

    def __str__(self) -> str:
        """Return the name as it is written in settings."""
        return self.plain if self.weights == "trained" else f"{self.weights}:{self.plain}"

    @property
    def plain(self) -> str:
        """The name without the kind of weights: all that decides shape and speed."""
        return self.model if self.blocks is None else f"{self.model}:{self.blocks}"

    def with_weights(self, weights: Weights) -> BackboneName:
        """Return the same shape with other weights."""
        return replace(self, weights=weights)


def parse_backbone(text: str) -> BackboneName:
    """Take a name apart. A number behind the last colon counts blocks, unless all of it names a folder that is here.

    Names of lamo's own models come before folders, as when a model is sought.
    """
    head, colon, rest = text.partition(":")
    kind: Weights = next((kind for kind in get_args(Weights)[1:] if colon and kind == head), "trained")
    own = text if kind == "trained" else rest
    counted = re.fullmatch(r"(.+):(\d{1,6})", own, re.DOTALL)
    if counted is None or is_own(own) or (not is_own(counted[1]) and _is_folder(own)):
        return BackboneName(own, kind)
    return BackboneName(counted[1], kind, int(counted[2]))


def is_own(name: str) -> bool:
    """Return whether a name is that of a model that ships, or was trained or imported here."""
    return own_folder(name) is not None


def own_folder(name: str) -> Path | None:
    """Return the folder of a model that ships, or was trained or imported here, by its name; None for any other."""
    if Path(name).name != name:  # a path, such as ./mini
        return None
    folders = (place / name for place in (assets_dir(), models_dir()))
    # os.path answers where pathlib raises: names may be longer than any file's
    return next((folder for folder in folders if os.path.isfile(folder / "config.json")), None)


def _is_folder(name: str) -> bool:
    return os.path.isdir(os.path.expanduser(name))
