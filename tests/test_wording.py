"""Numbers agree with what they count, by one helper."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamo_core.wording import counted, plural, told_apart

ROOT = Path(__file__).parents[1]
THINGS = frozenset(
    {"episode", "step", "run", "seed", "window", "transition", "decision", "token", "layer", "head", "core", "thread"}
    | {"setting", "row", "event", "checkpoint", "word", "frame", "pair", "preset", "line", "set", "minute", "point"}
    | {"game", "parameter", "replay", "evaluation", "file", "commit"}
)


@pytest.mark.parametrize(
    ("count", "thing", "text"),
    [
        (0, "episode", "0 episodes"),
        (1, "episode", "1 episode"),
        (2, "episode", "2 episodes"),
        (1500, "step", "1,500 steps"),
        (1, "entry", "1 entry"),
        (3, "entry", "3 entries"),
        (3, "day", "3 days"),
        (2, "batch of windows", "2 batches of windows"),
        (1, "batch of windows", "1 batch of windows"),
    ],
)
def test_things_are_counted(count: int, thing: str, text: str) -> None:
    assert counted(count, thing) == text


def test_a_number_of_another_form_decides_the_word() -> None:
    assert f"{1.0:g} {plural('minute', 1.0)}, {0.5:g} {plural('minute', 0.5)}" == "1 minute, 0.5 minutes"


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([], []),
        ([0.4], ["0"]),
        ([0.4, 1.0, 2.0, 3.6], ["0", "1", "2", "4"]),
        ([1.6, 2.0, 2.4], ["1.6", "2.0", "2.4"]),
        ([0.0, -0.001, 0.001], ["0.000", "-0.001", "0.001"]),
        ([-0.2, 0.3, 1.0], ["-0.2", "0.3", "1.0"]),
        ([5.0, 5.0], ["5", "5"]),
        ([0.0, 1e-9], ["0.000000", "0.000000"]),
    ],
)
def test_numbers_are_told_apart_with_few_digits(values: list[float], texts: list[str]) -> None:
    assert told_apart(values) == texts


@given(st.lists(st.floats(-1e6, 1e6), unique=True, max_size=6))
def test_no_two_headers_are_the_same_unless_the_numbers_nearly_are(values: list[float]) -> None:
    texts = told_apart(values)
    assert len(texts) == len(values)
    assert len(set(texts)) == len(values) or any(
        abs(one - other) <= 1e-6 for one, other in itertools.combinations(values, 2)
    )


def unhelped(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the f-strings in which a number stands before a plural, or a letter is multiplied by a condition."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant) and node.left.value == "s":
            yield node.lineno, ast.unparse(node)
        if not isinstance(node, ast.JoinedStr):
            continue
        for number, text in zip(node.values, node.values[1:], strict=False):
            if isinstance(number, ast.FormattedValue) and isinstance(text, ast.Constant):
                found = re.match(r" ([a-z]+)s\b(?![/?])", str(text.value))
                if found and found[1] in THINGS:
                    yield node.lineno, ast.unparse(number.value)


NEVER_ONE = {"MOST_SEEDS", "MAX_BYTES", "leading", "self.pace.fps", "high"}
"""Limits, words, and numbers that are rounded or checked to be more before."""


@pytest.mark.parametrize("room", ["lamo_tui", "lamo_core/runs", "lamo_core/reports", "lamo_core/sweep"])
def test_no_number_is_put_before_a_plural_by_hand(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for line, what in unhelped(path)
        if what not in NEVER_ONE
    ]
    assert found == []
