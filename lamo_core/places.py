"""Where things lie on this machine; every place can be moved by an environment variable."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_dir


def cache_dir() -> Path:
    """Return the folder of everything that can be made again: `LAMO_CACHE`, else the user's cache folder."""
    return Path(os.environ.get("LAMO_CACHE") or user_cache_dir("lamo"))


def data_dir() -> Path:
    """Return the folder of unpacked and downloaded data sets: `LAMO_DATA`, else `data` in the cache."""
    return Path(os.environ.get("LAMO_DATA") or cache_dir() / "data")


def models_dir() -> Path:
    """Return the folder of imported language models."""
    return cache_dir() / "models"


def runs_dir() -> Path:
    """Return the folder of runs: `LAMO_RUNS`, else `runs` below the working folder."""
    return Path(os.environ.get("LAMO_RUNS") or "runs")


def assets_dir() -> Path:
    """Return the folder of the data and the language model that ship with lamo."""
    return Path(__file__).parent / "assets"


def presets_dir() -> Path:
    """Return the folder of presets: inside the installed package, or at the top of a checkout."""
    packaged = Path(__file__).parent / "_presets"
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "presets"
