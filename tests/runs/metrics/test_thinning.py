"""Long metrics files: charts are drawn from a part of their lines, tables from all."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamo_core.runs import reader
from lamo_core.runs.metrics import series
from lamo_core.runs.metrics.series import MetricsTail, read_metrics
from lamo_core.runs.metrics.thinning import thinned, zeros_for


def line(step: int, loss: Any, kind: str = "train") -> str:
    return json.dumps({"t": step / 10, "step": step, "k": kind, "loss": loss}, separators=(",", ":")) + "\n"


def lines(steps: Iterable[int], offset: float = 0.0) -> str:
    return "".join(line(step, step + offset) for step in steps)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a few hundred kilobytes take the part of long ones."""
    for name, value in {"_LONG": 50_000, "_DRAWN": 100, "_CHUNK": 20_000}.items():
        monkeypatch.setattr(reader, name, value)
    monkeypatch.setattr(series, "_HELD", 3_000)


def polled(path: Path) -> MetricsTail:
    tail = MetricsTail(path, thin=True)
    tail.poll_all()
    return tail


def test_a_long_file_is_thinned_and_its_end_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(lines(range(1, 8_001)))
    tail, whole = polled(path), read_metrics(path)["loss"]
    found = tail.series("loss")
    assert tail.thinned
    assert len(whole) == 8_000
    assert len(found) < 1_000
    np.testing.assert_array_equal(found.value, found.step.astype(float))
    assert found.step[:3].tolist() == [100, 200, 300]
    assert found.step[-100:].tolist() == list(range(7_901, 8_001))
    with path.open("a") as file:
        file.write(lines(range(8_001, 8_004)))
    assert tail.poll() == {"loss"}
    assert tail.series("loss").step[-4:].tolist() == [8_000, 8_001, 8_002, 8_003]


def test_evaluations_and_what_is_not_finite_stay(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    text = [line(step, step) for step in range(1, 8_001)]
    text[776] = line(777, "NaN")
    text[1234] += line(1235, 5.0, "eval").replace("loss", "return")
    path.write_text("".join(text))
    tail = polled(path)
    losses = tail.series("loss")
    assert losses.step[np.isnan(losses.value)].tolist() == [777]
    assert tail.series("return").step.tolist() == [1235]


def test_a_run_that_went_back_has_no_points_of_what_was_given_up(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(lines(range(1, 3_551)) + lines(range(3_051, 9_001), offset=0.5))
    found, whole = polled(path).series("loss"), read_metrics(path)["loss"]
    assert np.all(np.diff(found.step) > 0)
    expected = dict(zip(whole.step.tolist(), whole.value.tolist(), strict=True))
    assert [expected[step] for step in found.step.tolist()] == found.value.tolist()


def test_short_files_and_other_forms_are_read_whole(tmp_path: Path) -> None:
    short, other = tmp_path / "short", tmp_path / "other"
    short.write_text(lines(range(1, 500)))
    other.write_text("".join(json.dumps({"step": step, "loss": 1.0}) + "\n" for step in range(1, 2_500)))
    for path, count in ((short, 499), (other, 2_499)):
        tail = polled(path)
        assert len(tail.series("loss")) == count
        assert not tail.thinned


def test_a_watched_run_does_not_grow_without_end(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tail = MetricsTail(path, thin=True)
    for start in range(1, 12_001, 500):
        with path.open("a") as file:
            file.write(lines(range(start, start + 500)))
        tail.poll_all()
    found = tail.series("loss")
    assert len(found) <= 3_000
    assert found.step[-500:].tolist() == list(range(11_501, 12_001))
    np.testing.assert_array_equal(found.value, found.step.astype(float))
    assert tail.thinned


def test_the_share_that_remains_fits_the_file() -> None:
    sample = lines(range(1, 101)).encode()
    assert zeros_for(sample, len(sample), 1000) == 0
    assert zeros_for(sample, 1000 * len(sample), 1000) == 2
    every_fiftieth = lines(range(50, 5_050, 50)).encode()
    assert zeros_for(every_fiftieth, 1000 * len(every_fiftieth), 1000) == 4
    assert zeros_for(b'{"step":1}\n' * 9, 10**9, 10) == 0
    assert thinned(sample, 1) == lines(range(10, 101, 10)).encode()
