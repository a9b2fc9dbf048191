"""Where things lie on this machine; every place can be moved by an environment variable."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_dir, user_config_dir, user_state_dir


def cache_dir() -> Path:
    """Return the folder of everything that can be made again: `LAMO_CACHE`, else the user's cache folder."""
    return Path(os.environ.get("LAMO_CACHE") or user_cache_dir("lamo"))


def state_dir() -> Path:
    """Return the folder of what is remembered of this user: `LAMO_STATE`, else the user's state folder."""
    return Path(os.environ.get("LAMO_STATE") or user_state_dir("lamo"))


DATA_ELSEWHERE = "LAMO_DATA"
"""How the folder of data sets is moved, for errors."""


def data_dir() -> Path:
    """Return the folder of unpacked and downloaded data sets: `LAMO_DATA`, else `data` in the cache."""
    return Path(os.environ.get("LAMO_DATA") or cache_dir() / "data")


def collected_dir() -> Path:
    """Return the folder of the sets that `lamo data collect` made, which are used by name like bundled ones."""
    return data_dir() / "collected"


def sources_path() -> Path | None:
    """Return the user's file of addresses of published data sets: `LAMO_SOURCES`, else `sources.toml` in the user's
    configuration folder; None when there is none."""
    named = os.environ.get("LAMO_SOURCES")
    path = Path(named) if named else Path(user_config_dir("lamo")) / "sources.toml"
    return path if named or path.is_file() else None


def models_dir() -> Path:
    """Return the folder of imported language models."""
    return cache_dir() / "models"


def runs_dir() -> Path:
    """Return the folder of runs: `LAMO_RUNS`, else `runs` below the working folder."""
    return Path(os.environ.get("LAMO_RUNS") or "runs")


def assets_dir() -> Path:
    """Return the folder of the data and the language model that ship with lamo."""
    return Path(__file__).parent / "assets"


def studies_dir() -> Path:
    """Return the folder of studies that ship with lamo: a folder each, with their results and report."""
    return assets_dir() / "studies"


def presets_dir() -> Path:
    """Return the folder of presets: inside the installed package, or at the top of a checkout."""
    packaged = Path(__file__).parent / "_presets"
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "presets"
