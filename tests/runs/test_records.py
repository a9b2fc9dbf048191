"""Strict JSON lines."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamo_core.runs.records import decode, encode, number
from lamo_core.training.events import Note


def _no_constants(name: str) -> float:
    raise AssertionError(f"{name} is no JSON")


@settings(deadline=None)
@given(st.floats())
def test_every_float_survives_strict_json(value: float) -> None:
    line = encode({"loss": value})
    back = number(json.loads(line, parse_constant=_no_constants)["loss"])
    assert back is not None
    assert back == value or (math.isnan(back) and math.isnan(value))


def test_data_classes_paths_and_numpy_become_plain() -> None:
    value = {"event": Note(3, 1.5, text="a\nb"), "path": Path("a/b"), "x": np.float32(0.5), "y": np.arange(2)}
    assert json.loads(encode(value)) == {
        "event": {"step": 3, "time": 1.5, "text": "a\nb"},
        "path": "a/b",
        "x": 0.5,
        "y": [0, 1],
    }
    assert "\n" not in encode(value)


def test_what_has_no_json_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        encode({"x": object()})


@pytest.mark.parametrize("text", ["", "[1]", "3", "{", '{"a":', "nonsense", b"\xff\xfe", "[" * 100_000])
def test_what_is_no_object_decodes_to_none(text: str | bytes) -> None:
    assert decode(text) is None


@pytest.mark.parametrize("value", [True, None, "text", "inf", [1], {}, 10**400])
def test_what_is_no_number_is_none(value: object) -> None:
    assert number(value) is None
