"""A share of the data is written in the same ways everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from lamo_core.errors import UsageError
from lamo_core.shares import parse_share, percent_text
from lamo_tui.cli.app import app


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), ("0.01", 0.01), ("100%", 1.0), ("1", 1.0), ("0.1 %", 0.001)])
def test_a_share_is_a_percentage_or_a_number(text: str, share: float) -> None:
    assert parse_share(text) == share


@given(st.integers(1, 10**7))
def test_a_share_in_percent_is_the_number_that_is_written(millionths: int) -> None:
    share = millionths / 10**7
    assert parse_share(f"{percent_text(share)}%") == share
    assert percent_text(share) == f"{millionths / 10**5:.5f}".rstrip("0").rstrip(".")


@pytest.mark.parametrize("text", ["0", "0%", "101%", "x", "1%%", "", "-1%", "nan", "inf", "nan%", "1.2.3%", "%"])
def test_shares_of_data_lie_between_nothing_and_all(text: str) -> None:
    with pytest.raises(UsageError):
        parse_share(text)


@pytest.mark.parametrize(
    "words", [["train", "-p", "mujoco-hopper"], ["data", "get", "hopper-medium"], ["data", "export", "hopper-medium"]]
)
def test_commands_refuse_the_same_shares_in_the_same_words(words: list[str], tmp_path: Path) -> None:
    out = ["--out", str(tmp_path)] if "export" in words else []
    done = CliRunner().invoke(app, [*words, *out, "--ratio", "150%"])
    assert isinstance(done.exception, UsageError)
    assert "such as 1% or 0.01, not '150%'" in str(done.exception)
