"""The engine of lamo: few-shot offline reinforcement learning with pre-trained language models.

The names of `__all__` are the Python interface, `import lamo_core as lamo`; each is loaded when it is first used, and
PyTorch only when something is trained or played.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from lamo_core.version import __version__

if TYPE_CHECKING:
    from lamo_core.api.acting import LoadedPolicy, load_policy
    from lamo_core.api.data import Episode, Episodes, open_data
    from lamo_core.api.evaluating import evaluate
    from lamo_core.api.presets import list_presets, resolve
    from lamo_core.api.training import Run, open_run, resume, train
    from lamo_core.errors import (
        CheckpointError,
        DataError,
        DeviceError,
        LamoError,
        MissingError,
        StorageError,
        UsageError,
    )
    from lamo_core.training.events import CheckpointSaved, EvalDone, StepDone, Stopped

__all__ = [
    "CheckpointError",
    "CheckpointSaved",
    "DataError",
    "DeviceError",
    "Episode",
    "Episodes",
    "EvalDone",
    "LamoError",
    "LoadedPolicy",
    "MissingError",
    "Run",
    "StepDone",
    "Stopped",
    "StorageError",
    "UsageError",
    "__version__",
    "evaluate",
    "list_presets",
    "load_policy",
    "open_data",
    "open_run",
    "resolve",
    "resume",
    "train",
]

if not TYPE_CHECKING:
    _PLACES = {
        "api.acting": ("LoadedPolicy", "load_policy"),
        "api.data": ("Episode", "Episodes", "open_data"),
        "api.evaluating": ("evaluate",),
        "api.presets": ("list_presets", "resolve"),
        "api.training": ("Run", "open_run", "resume", "train"),
        "errors": tuple(name for name in __all__ if name.endswith("Error")),
        "training.events": ("CheckpointSaved", "EvalDone", "StepDone", "Stopped"),
    }
    _HOMES = {name: f"lamo_core.{module}" for module, names in _PLACES.items() for name in names}

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
        return value

    def __dir__():
        return sorted({*globals(), *__all__})
