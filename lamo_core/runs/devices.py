"""Which device a run will use and how much memory cards have, told without loading PyTorch."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass

_QUERY = ("nvidia-smi", "--query-gpu=index,memory.total,memory.free", "--format=csv,noheader,nounits")
_MIB = 1 << 20


@dataclass(frozen=True)
class Card:
    """One NVIDIA card; memory in bytes."""

    index: int
    total: int
    free: int


def cards() -> list[Card]:
    """Return this machine's NVIDIA cards as `nvidia-smi` tells them now; none where it cannot be asked."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return []
    try:
        done = subprocess.run(_QUERY, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [line.split(",") for line in done.stdout.splitlines()] if done.returncode == 0 else []
    try:
        return [Card(int(index), int(total) * _MIB, int(free) * _MIB) for index, total, free in rows]
    except ValueError:  # a card that does not tell its memory
        return []


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
