"""The tail reader: whatever the end of the file looks like, at whatever moment."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamo_core.runs import reader
from lamo_core.runs.metrics.series import MetricsTail
from lamo_core.runs.reader import LineTail, read_events
from lamo_core.runs.records import encode, number

_values = st.floats() | st.integers(-10, 10) | st.none() | st.booleans() | st.text(max_size=3) | st.just("NaN")
_record = st.fixed_dictionaries(
    {"step": st.integers(0, 12)},
    optional={"t": st.floats(0, 10), "k": st.just("train"), "loss": _values, "return": _values, "a": _values},
).map(encode)
_junk = st.sampled_from(
    [
        "",
        "{",
        "}",
        "[]",
        "3",
        "null",
        '{"step":',
        '{"step":null}',
        '{"step":-1}',
        '{"step":1.5}',
        '{"loss":1}',
        "\x00",
        "ÿ",
    ]
) | st.text(st.characters(exclude_characters="\n,", codec="utf-8"), max_size=6)
_lines = st.lists(_record | _junk, max_size=30)


def _expected(lines: list[str]) -> dict[str, dict[int, float]]:
    """Return what the lines mean, by the plainest code: a record at s drops what lies after s."""
    metrics: dict[str, dict[int, float]] = {}
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if not isinstance(record, dict) or type(record.get("step")) is not int or record["step"] < 0:
            continue
        step = record["step"]
        for points in metrics.values():
            for late in [other for other in points if other > step]:
                del points[late]
        for name, value in record.items():
            if name in ("step", "t", "k"):
                continue
            metrics.get(name, {}).pop(step, None)
            found = number(value)
            if found is not None:
                metrics.setdefault(name, {})[step] = found
    return metrics


def _found(tail: MetricsTail) -> dict[str, dict[int, float]]:
    found = {}
    for name in tail.names:
        series = tail.series(name)
        assert np.all(np.diff(series.step) > 0)
        assert len(series.step) == len(series.time) == len(series.value)
        found[name] = dict(zip(series.step.tolist(), series.value.tolist(), strict=True))
    return found


def _same(left: dict[str, dict[int, float]], right: dict[str, dict[int, float]]) -> bool:
    # compared as text, in which NaN equals NaN
    return repr({k: v for k, v in sorted(left.items()) if v}) == repr({k: v for k, v in sorted(right.items()) if v})


@settings(deadline=None)
@given(_lines, st.lists(st.integers(0, 2000), max_size=6), st.integers(1, 200))
def test_any_file_read_at_any_moment_in_any_portions(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], cuts: list[int], chunk: int
) -> None:
    path = tmp_path_factory.mktemp("tail") / "metrics.jsonl"
    data = "".join(line + "\n" for line in lines).encode()
    tail = MetricsTail(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "_CHUNK", chunk)
        for cut in sorted(min(cut, len(data)) for cut in cuts):
            with path.open("ab") as file:
                file.write(data[path.stat().st_size : cut])
            tail.poll_all()
            whole = data[:cut].decode(errors="replace").split("\n")[:-1]
            assert _same(_found(tail), _expected(whole))
        with path.open("ab") as file:
            file.write(data[path.stat().st_size :])
        tail.poll_all()
    assert _same(_found(tail), _expected(lines))
    assert tail.poll_all() == set()


def _write(path: Path, *records: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.writelines(encode(record) + "\n" for record in records)


def test_a_file_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    tail = MetricsTail(tmp_path / "metrics.jsonl")
    assert tail.poll() == set()
    assert len(tail.series("loss")) == 0
    assert tail.last_step == -1
    _write(tmp_path / "metrics.jsonl", {"step": 1, "loss": 2.0, "t": 5.0})
    assert tail.poll() == {"loss"}
    series = tail.series("loss")
    assert (series.step.tolist(), series.time.tolist(), series.value.tolist()) == ([1], [5.0], [2.0])


def test_a_resumed_run_goes_back(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    _write(path, *({"step": step, "k": "train", "loss": float(step)} for step in range(1, 8)))
    _write(path, {"step": 7, "k": "eval", "return": 70.0})
    tail = MetricsTail(path)
    tail.poll_all()
    before = tail.series("loss")
    _write(path, {"step": 4, "k": "train", "loss": 40.0})
    assert tail.poll() == {"loss", "return"}
    assert tail.series("loss").value.tolist() == [1, 2, 3, 40]
    assert len(tail.series("return")) == 0
    assert tail.last_step == 4
    assert before.value.tolist() == [1, 2, 3, 4, 5, 6, 7], "a view that was handed out keeps its values"


def test_an_evaluation_at_the_newest_step_drops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    _write(path, {"step": 5, "loss": 1.0}, {"step": 5, "return": 3.0}, {"step": 6, "loss": 2.0})
    tail = MetricsTail(path)
    tail.poll_all()
    assert tail.series("loss").step.tolist() == [5, 6]
    assert tail.series("return").step.tolist() == [5]


def test_views_cannot_be_written(tmp_path: Path) -> None:
    _write(tmp_path / "m", {"step": 5, "loss": 1.0})
    tail = MetricsTail(tmp_path / "m")
    tail.poll()
    with pytest.raises(ValueError, match="read-only"):
        tail.series("loss").value[0] = 3


@pytest.mark.parametrize("how", ["shorter", "replaced"])
def test_a_file_that_begins_anew_is_read_anew(tmp_path: Path, how: str) -> None:
    path = tmp_path / "metrics.jsonl"
    _write(path, *({"step": step, "loss": 1.0} for step in range(9)))
    tail = MetricsTail(path)
    tail.poll_all()
    other = tmp_path / "other"
    count = 2 if how == "shorter" else 40
    _write(other, *({"step": step, "return": 2.0} for step in range(count)))
    if how == "shorter":
        path.write_bytes(other.read_bytes())
    else:
        os.replace(other, path)
    assert tail.poll_all() == {"loss", "return"}
    assert tail.names == ["return"]
    assert tail.last_step == count - 1


def test_thousands_of_lines_grow_the_arrays(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tail = MetricsTail(path)
    for start in range(0, 5000, 1000):
        _write(path, *({"step": step, "loss": step / 2, "n": step} for step in range(start, start + 1000)))
        assert tail.poll() == {"loss", "n"}
    assert tail.series("loss").value.tolist() == [step / 2 for step in range(5000)]


def test_lines_count_once_their_end_is_there(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail = LineTail(path)
    path.write_text('{"event":"Note"}\ngarbage\n{"event":"Sto')
    assert tail.poll() == [{"event": "Note"}]
    assert tail.skipped == 1
    with path.open("a") as file:
        file.write('pped"}\n')
    assert tail.poll() == [{"event": "Stopped"}]
    assert read_events(path) == [{"event": "Note"}, {"event": "Stopped"}]
    assert read_events(tmp_path / "missing") == []
