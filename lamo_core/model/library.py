"""Compatibility with the versions of transformers: names of arguments that differ, reports that are noise."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

CACHE_NAMES = ("cache", "past_key_values", "cache_params")
"""What models call the cache, argument and field of their output alike: `cache` in newer versions."""


def cache_name(model: nn.Module) -> str | None:
    """Return what a model calls its key-value cache, None for one that takes none.

    The signature is read, once for each class: an argument that a newer transformers dropped would not be missed by
    `forward`, which takes any, and the cache be lost.
    """
    taken = _arguments(type(model).forward)
    return next((name for name in CACHE_NAMES if name in taken), None)


def takes(model: nn.Module, name: str) -> bool:
    """Return whether a model has an argument of that name; one that takes any name does not count."""
    return name in _arguments(type(model).forward)


def takes_any(model: nn.Module) -> bool:
    """Return whether a model takes arguments that it does not name, and hands them on."""
    return "**" in _arguments(type(model).forward)


@contextmanager
def without_loading_report() -> Iterator[None]:
    """Keep back transformers' table of tensors that a file has too many or too few; its other messages are shown."""
    loader = logging.getLogger("transformers.modeling_utils")
    loader.addFilter(_no_report)
    try:
        yield
    finally:
        loader.removeFilter(_no_report)


def _no_report(record: logging.LogRecord) -> bool:
    return "LOAD REPORT" not in record.getMessage()


@functools.cache
def _arguments(forward: Callable[..., Any]) -> frozenset[str]:
    taken = inspect.signature(forward).parameters.values()
    return frozenset("**" if one.kind is one.VAR_KEYWORD else one.name for one in taken)
