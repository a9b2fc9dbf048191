"""JSON and TOML that would end Python's own parsers, or whoever walks through what they give."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import pytest

import lamo_core
import lamo_tui
from lamo_core.runs.reader import LineTail
from lamo_core.untrusted.parsing import MOST_NESTED, TooDeep, parse_json, parse_toml, surely_flat


@pytest.mark.parametrize("count", [MOST_NESTED + 1, 900, 100_000])
def test_what_is_nested_too_deeply_is_refused(count: int) -> None:
    for text in ("[" * count + "]" * count, '{"a":' * count + "1" + "}" * count):
        for form in (text, text.encode()):
            with pytest.raises(TooDeep):
                parse_json(form)
    if count < 1000:
        with pytest.raises(TooDeep):
            parse_toml("a = " + "[" * count + "]" * count)


def test_what_is_nested_as_far_as_may_be_is_read() -> None:
    assert parse_json("[" * MOST_NESTED + "]" * MOST_NESTED)
    assert parse_json(('[{"a": "' + "[{" * 200 + '"}]').encode())[0]["a"] == "[{" * 200
    assert parse_toml("a.b.c = 1\n[x.y]\nz = ['a.b']") == {"a": {"b": {"c": 1}}, "x": {"y": {"z": ["a.b"]}}}


@pytest.mark.parametrize("text", ["a." * 20_000 + "b = 1", "[" + "a . " * 20_000 + "b]", "a = " + "{b = " * 20_000])
def test_toml_that_python_takes_long_for_is_refused_at_once(text: str) -> None:
    begin = time.perf_counter()
    with pytest.raises(TooDeep):
        parse_toml(text)
    assert time.perf_counter() - begin < 1


def test_lines_that_hold_such_a_record_lose_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"a": 1}\n{"a": ' + "[" * 500 + "]" * 500 + '}\n{"b": "\\u001b"}\n')
    tail = LineTail(path)
    assert tail.poll() == [{"a": 1}, {"b": "\\x1b"}]
    assert tail.skipped == 1
    assert surely_flat(b'{"a": 1}\n' * 1000, 1000)


def test_nothing_else_parses_json_or_toml() -> None:
    for package in (lamo_core, lamo_tui):
        for path in sorted(Path(str(package.__file__)).parent.rglob("*.py")):
            if path.name in ("parsing.py", "reader.py") or path.parent.name == "benchmarks":
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    called = ast.unparse(node.func)
                    assert called not in ("json.loads", "json.load", "tomllib.loads", "tomllib.load"), path
