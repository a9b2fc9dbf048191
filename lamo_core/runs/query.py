"""A small language to pick runs: `breakout ratio<0.01 state:running -seed=3`.

All terms must hold. A plain word must occur in the id or the name. `key:text` wants the value to hold the text,
`key=value` to equal it; `<`, `<=`, `>` and `>=` compare numbers. A minus before a term turns it round. Keys are
`state`, `task` (also called `env`), `ratio`, `method`, `ablation`, `backbone`, `seed`, `step`, `return` and every
dotted setting.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from lamo_core.config import field_names, unknown_key
from lamo_core.errors import UsageError
from lamo_core.runs.index import RunSummary

Matcher = Callable[[RunSummary], bool]

_TERM = re.compile(r"(?P<key>[A-Za-z_.]+)(?P<sign><=|>=|<|>|=|:)(?P<value>.+)")
_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_SHORT: dict[str, Callable[[RunSummary], Any]] = {
    "id": lambda run: run.id,
    "name": lambda run: run.name,
    "state": lambda run: run.state,
    "task": lambda run: run.settings.get("task.name"),
    "env": lambda run: run.settings.get("task.name"),
    "ratio": lambda run: run.settings.get("data.ratio"),
    "method": lambda run: run.label.method,
    "ablation": lambda run: run.label.ablation,
    "backbone": lambda run: run.settings.get("model.backbone"),
    "step": lambda run: run.status.step,
    "return": lambda run: run.status.last_return,
    "device": lambda run: run.status.device,
}


def parse_query(words: Sequence[str]) -> Matcher:
    """Return a function that says whether a run fits all terms; raises `UsageError` at unknown keys."""
    terms = [_term(word) for text in words for word in text.split()]
    return lambda run: all(term(run) for term in terms)


def _term(word: str) -> Matcher:
    if word.startswith("-") and len(word) > 1:
        inner = _term(word[1:])
        return lambda run: not inner(run)
    found = _TERM.fullmatch(word)
    if found is None:
        lowered = word.lower()
        return lambda run: lowered in run.id.lower() or lowered in run.name.lower()
    key, sign, value = found["key"], found["sign"], found["value"]
    get = _getter(key)
    if sign == ":":
        return lambda run: value.lower() in _text(get(run))
    if sign == "=":
        return lambda run: _equal(get(run), value)
    limit, compare = _number(value, word), _ORDER[sign]
    return lambda run: isinstance(get(run), int | float) and bool(compare(get(run), limit))


def _getter(key: str) -> Callable[[RunSummary], Any]:
    if key in _SHORT:
        return _SHORT[key]
    known = field_names()
    if key not in known:
        raise unknown_key(key, list(dict.fromkeys([*_SHORT, *known])), "key to filter runs by named")
    return lambda run: run.settings.get(key)


def _number(text: str, word: str) -> float:
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError as error:
        raise UsageError(f"{word!r} compares with {text!r}, which is not a number") from error


def _equal(value: Any, text: str) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value) == _number(text, text)
        except UsageError:
            return False
    return _text(value) == text.lower()


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower()
