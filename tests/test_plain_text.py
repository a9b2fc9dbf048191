"""Letters of strangers that a terminal would obey."""

from __future__ import annotations

import json

from lamo_core.plain_text import plain_json, plain_text


def test_what_a_terminal_obeys_is_written_out() -> None:
    assert plain_text("\x1b]0;title\x07 \x9b31m \u202e \udcff\r") == "\\x1b]0;title\\x07 \\x9b31m \\u202e \\udcff\\x0d"
    assert plain_text("déjà vu · 42 %\n\tend ▁▂▃ 你好") == "déjà vu · 42 %\n\tend ▁▂▃ 你好"


def test_json_stays_the_same_value() -> None:
    value = {"name": "\x9b31m\x7f é \u202e"}
    text = plain_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(text) == value
    assert not any(letter in text for letter in "\x9b\x7f\u202e")
    assert "é" in text
