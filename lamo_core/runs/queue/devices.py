"""Which device a run will use and how much memory cards have, told without loading PyTorch."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

_QUERY = ("nvidia-smi", "--query-gpu=index,memory.total,memory.free,uuid", "--format=csv,noheader,nounits")
_MIB = 1 << 20


@dataclass(frozen=True)
class Card:
    """One NVIDIA card; memory in bytes."""

    index: int
    """As PyTorch counts: among the cards that CUDA_VISIBLE_DEVICES leaves."""
    total: int
    free: int
    uuid: str
    """Names it to CUDA_VISIBLE_DEVICES; numbers would depend on how CUDA orders cards."""


def cards() -> list[Card]:
    """Return the NVIDIA cards that this process may use, as `nvidia-smi` tells them; none where it cannot be asked."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible in ("", "-1"):
        return []
    try:
        done = subprocess.run(_QUERY, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[part.strip() for part in line.split(",")] for line in done.stdout.splitlines()]
    try:
        found = [Card(int(index), int(total) * _MIB, int(free) * _MIB, uuid) for index, total, free, uuid in rows]
    except ValueError:  # a card that does not tell its memory
        return []
    if done.returncode:
        return []
    return found if visible is None else _chosen(found, visible)


def _chosen(found: list[Card], visible: str) -> list[Card]:
    """Return the cards that a list of numbers and UUIDs names, in its order; `nvidia-smi` itself does not heed it."""
    cards: list[Card] = []
    for name in (part.strip() for part in visible.split(",")):
        named = [card for card in found if name and (str(card.index) == name or card.uuid.startswith(name))]
        if not named:
            break  # CUDA, too, stops at a name that it does not know
        cards.append(replace(named[0], index=len(cards)))
    return cards


def absent_device(name: str) -> str:
    """Return why a run cannot use a device, such as `cuda`; empty where it can, or where only PyTorch knows."""
    kind = name.partition(":")[0]
    if kind == "mps" and platform.system() != "Darwin":
        return "this machine has no Metal device; choose the device cpu"
    if kind == "cuda" and not _built_for_cards():
        return f"PyTorch is installed without CUDA; choose the device cpu, or install another build: {_BUILDS}"
    if kind == "cuda" and platform.system() == "Linux" and not any(map(os.path.exists, _CARD_FILES)):
        return "this machine has no CUDA device; choose the device cpu"
    return ""


_BUILDS = "pytorch.org/get-started"
_CARD_FILES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg", "/dev/nvmap")
"""Drivers of NVIDIA's and AMD's cards, of cards under Windows, and of NVIDIA's boards."""


def _built_for_cards() -> bool:
    """Say whether the PyTorch that is installed can use cards; where that is not found out it may."""
    try:
        found = find_spec("torch")
    except ImportError:  # some finder refuses it
        return True
    if found is None or found.origin is None:
        return True
    try:
        text = (Path(found.origin).parent / "version.py").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return True
    builds = re.findall(r"^(?:cuda|hip)\b[^=\n]*=\s*(\S+)", text, re.MULTILINE)
    return not builds or any(build != "None" for build in builds)


def nothing_to_free(device: str) -> str:
    """Return why a run on a device cannot give memory back while it is paused; empty where it can, or none is known."""
    if not device or device.startswith("cuda"):
        return ""
    return f"it computes on {device}, in the machine's own memory, so there is nothing on a device to free"


def device_of(name: str) -> str:
    """Return `cpu`, `mps` or `cuda:N` for what a config or a status calls its device.

    `auto` becomes what PyTorch would most likely take here: the first NVIDIA card, Apple's GPU, or the processor.
    """
    if name in ("", "auto"):
        if cards():
            return "cuda:0"
        apple = sys.platform == "darwin" and platform.machine() == "arm64"
        return "mps" if apple else "cpu"
    return "cuda:0" if name == "cuda" else name
