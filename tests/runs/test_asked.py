"""Returns asked for and achieved, as a run keeps them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.records import encode, plain
from lamo_core.runs.target_sweep_file import AskedReturns, AskedScore, parse_asked, read_asked, write_asked

FOUND = AskedReturns(30, False, -12.0, -8.5, -4.0, (-5.0,), 0.9, (AskedScore(-12.0, -9.0, -10.0, -8.0, 5),))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert read_asked(run) is None
    write_asked(run, FOUND)
    assert read_asked(run) == FOUND
    write_asked(run, replace(FOUND, rank_correlation=None, clipped=True))
    assert read_asked(run) == replace(FOUND, rank_correlation=None, clipped=True)


@pytest.mark.parametrize(
    "change", [{"scores": []}, {"scores": 3}, {"scores": [{"target": 1}]}, {"step": "x"}, {"targets": None}]
)
def test_a_damaged_file_counts_as_none(change: dict[str, object], tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.asked_file.write_text(encode(plain(FOUND) | change))
    assert read_asked(run) is None
    run.asked_file.write_text("{")
    assert read_asked(run) is None


def test_an_absurdly_long_file_counts_as_none_and_is_not_read_whole(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    write_asked(run, FOUND)
    with run.asked_file.open("a") as file:
        file.write(" " * ((1 << 20) - run.asked_file.stat().st_size))
    assert read_asked(run) == FOUND
    with run.asked_file.open("a") as file:
        file.write(" ")
    assert read_asked(run) is None


def test_what_a_later_version_adds_is_passed_over() -> None:
    assert parse_asked(plain(FOUND) | {"more": 1}) == FOUND
