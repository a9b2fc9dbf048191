"""Letters of strangers that a terminal would interpret."""

from __future__ import annotations

import json
import sys
import unicodedata

from lamo_core.untrusted.plain_text import (
    is_plain,
    plain_json,
    plain_line,
    plain_text,
    plain_values,
    shown,
    without_obeyed,
)


def test_what_a_terminal_obeys_is_written_out() -> None:
    assert plain_text("\x1b]0;title\x07 \x9b31m \u202e \udcff\r") == "\\x1b]0;title\\x07 \\x9b31m \\u202e \\udcff\\x0d"
    assert plain_text("déjà vu · 42 %\n\tend ▁▂▃ 你好") == "déjà vu · 42 %\n\tend ▁▂▃ 你好"


def test_every_letter_of_control_format_or_direction_is_written_out() -> None:
    kinds = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    obeyed = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in kinds]
    assert len(obeyed) > 2000
    for letter in obeyed:
        assert (plain_text(letter) == letter) == (letter in "\n\t"), ascii(letter)
        assert not is_plain(letter)
        assert plain_line(letter).isascii()
        assert without_obeyed(f"a{letter}b", lambda found: "") == "ab"
        if letter not in "\n\t":
            assert plain_json(letter).isascii()
            assert json.loads(f'"{plain_json(letter)}"') == letter


def test_every_text_within_values_is_written_out() -> None:
    assert plain_values({"\x1b": ["\x9b", {"a": "\u202e"}], "n": 1}) == {
        "\\x1b": ["\\x9b", {"a": "\\u202e"}],
        "n": 1,
    }


def test_a_value_for_a_message_is_short_however_large_it_is() -> None:
    doubled: object = "x"
    for _ in range(60):
        doubled = [doubled, doubled]
    for value in (doubled, "\x1b" * 10**6, {n: n for n in range(10**5)}, 10**100_000, b"\x00" * 10**6, [doubled]):
        text = shown(value)
        assert len(text) < 700
        assert is_plain(text)
    assert (shown("short"), shown(12), shown(None)) == ("'short'", "12", "None")


def test_json_stays_the_same_value() -> None:
    value = {"name": "\x9b31m\x7f é \u202e"}
    text = plain_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(text) == value
    assert not any(letter in text for letter in "\x9b\x7f\u202e")
    assert "é" in text
