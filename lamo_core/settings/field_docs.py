"""Documentation of settings: the first sentence behind each field of nested data classes."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterator

from lamo_core.settings.strict import hints_of

_SENTENCE = re.compile(r"(?<! al)\.\s+(?=[A-Z`])")
"""Between two sentences, and not within `et al. 2018`."""


def field_docs(cls: type, prefix: str = "") -> dict[str, str]:
    """Return the first sentence of every field's docstring by dotted name, without its full stop; none where the source
    code is not at hand."""
    own = _docs(cls)
    found: dict[str, str] = {}
    for name, hint in hints_of(cls).items():
        if dataclasses.is_dataclass(hint):
            found |= field_docs(hint, f"{prefix}{name}.")  # type: ignore[arg-type]
        elif name in own:
            found[prefix + name] = _SENTENCE.split(own[name])[0].removesuffix(".")
    return found


@functools.cache
def _docs(cls: type) -> dict[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(cls))
    except OSError:
        return {}
    return dict(_described(ast.parse(source).body[0]))


def _described(definition: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names of fields and the texts that stand behind them."""
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    for field, after in itertools.pairwise(body):
        text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else None
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, str):
            yield field.target.id, " ".join(text.split())
