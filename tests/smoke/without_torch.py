"""A refusal to import PyTorch, transformers and peft, for a process that has to do without them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

HEAVY = frozenset({"torch", "transformers", "peft"})


class Refusal(MetaPathFinder):
    """Answers an import of the heavy libraries as where they are not installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise `ModuleNotFoundError` for a heavy library; leave every other module to the finders behind."""
        if fullname.partition(".")[0] in HEAVY:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def refuse() -> None:
    """Refuse the heavy libraries in this process from now on."""
    sys.meta_path.insert(0, Refusal())


def refused() -> bool:
    """Return whether the heavy libraries are refused, and none was there before."""
    return any(isinstance(finder, Refusal) for finder in sys.meta_path) and not HEAVY & set(sys.modules)
