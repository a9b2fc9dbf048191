"""Results in a file: equal to those of the runs, joined from several machines, and refused when damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lamo_core.reports.results_file as results_file
from lamo_core.errors import DataError, UsageError
from lamo_core.reports.results import NoResult, gather, read_result, result_of
from lamo_core.reports.results_file import as_summary, merge, read_results, write_results
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.query import parse_query
from lamo_core.runs.writer import RunWriter
from lamo_core.training.events import Changed
from tests.runs.run_doubles import eval_done, record, score

MakeRun = Callable[..., RunDirectory]


@pytest.mark.parametrize("scores", [5, [5], [{"returns": 7}], "x"])
def test_events_of_another_form_are_no_result(make_run: MakeRun, scores: Any) -> None:
    run = record(make_run(name="p"), [1.0, 2.5])
    event = {"event": "EvalDone", "step": 9, "final": True, "scores": scores}
    with run.events_file.open("a") as file:
        file.write(json.dumps(event) + "\n")
    with pytest.raises(NoResult, match="damaged"):
        gather(run)


@pytest.fixture
def saved(make_run: MakeRun, tmp_path: Path) -> Path:
    """A file with the results of two runs."""
    wanted = {"name": "p", "model__adapter": "frozen", "optim__clip": 0.5}
    runs = [record(make_run(seed=seed, **wanted), [1.0, 2.5]) for seed in (0, 1)]
    write_results(tmp_path / "r.jsonl", merge(map(gather, runs)))
    return tmp_path / "r.jsonl"


def test_a_file_says_what_the_runs_say(make_run: MakeRun, tmp_path: Path) -> None:
    run = record(make_run(name="p+frozen", data__ratio=0.1), [1 / 3, 2.5])
    with RunWriter(run) as writer:
        writer.write(Changed(3, 3.0, name="optim.clip", value=0.25))
    path = tmp_path / "results.jsonl"
    write_results(path, [gather(run)])
    (held,) = read_results(path)
    assert result_of(held) == read_result(run)
    header, line = path.read_text().splitlines()
    assert len(line) < 1500
    assert json.loads(line)["settings"] == {"name": "p+frozen", "data.ratio": 0.1}
    assert str(tmp_path) not in header + line
    assert "hostname" not in line


def test_defaults_of_another_version_stay_with_their_lines(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # an older version clipped at 9; lines written by both stand in one file
    header, *lines = saved.read_text().splitlines()
    older = json.loads(header)
    older["defaults"]["optim.weight_decay"] = 9.0
    del older["defaults"]["optim.schedule"]
    joined = tmp_path / "joined.jsonl"
    joined.write_text("\n".join([json.dumps(older), lines[0], header, lines[1]]) + "\n")
    first, second = map(result_of, read_results(joined))
    assert first.settings["optim.weight_decay"] == "9.0"
    assert second.settings["optim.weight_decay"] == "0.01"
    assert first.settings["optim.schedule"] == second.settings["optim.schedule"]
    write_results(joined, read_results(joined))
    assert [result_of(held) for held in read_results(joined)] == [first, second]


def test_files_join_and_equal_runs_count_once(saved: Path, make_run: MakeRun) -> None:
    held = read_results(saved)
    other = gather(record(make_run(seed=2), [7.0]))
    joined = merge([*held, other, *held])
    assert [result_of(one).seed for one in joined] == [0, 1, 2]
    longer = held[0] | {"steps": 9}
    assert merge([held[0], longer]) == merge([longer, held[0]]) == [longer]
    forged = json.loads(json.dumps(held[0]))
    forged["final"][0]["returns"][0] = 100.0
    with pytest.raises(DataError, match="differ"):
        merge([held[0], forged])


def test_results_are_picked_by_the_words_that_pick_runs(saved: Path) -> None:
    fits = parse_query(["seed=1", "ablation:frozen", "optim.clip=0.5", "return>1", "state:finished"])
    assert [result_of(held).seed for held in read_results(saved) if fits(as_summary(held))] == [1]


def _changed(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    header, line, *_ = path.read_text().splitlines()
    values = json.loads(line)
    change(values)
    path.write_text(f"{header}\n{json.dumps(values)}\n")
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.pop("final"),
        lambda v: v.update(final=[]),
        lambda v: v.update(final=[{"target": 1, "context": "x", "returns": []}]),
        lambda v: v["final"][0].update(returns=["NaN"]),
        lambda v: v["final"][0].update(returns=[1e400]),
        lambda v: v["final"][0].update(returns=20_000 * [1]),
        lambda v: v["final"][0].update(returns={"a": 1}),
        lambda v: v.update(evaluations=[[1, []]]),
        lambda v: v.update(evaluations=[["x", [[1, 2]]]]),
        lambda v: v.update(evaluations=7),
        lambda v: v.update(steps=2**80),
        lambda v: v.update(steps=True),
        lambda v: v.update(id=["list"]),
        lambda v: v.update(name=300 * "x"),
        lambda v: v.update(commit="a\nb"),
        lambda v: v.update(settings=[]),
        lambda v: v["settings"].update({"task.name": "atari-nothing"}),
        lambda v: v["settings"].update({"task.name": None}),
        lambda v: v["settings"].update({"data.ratio": 0}),
        lambda v: v["settings"].update({"data.ratio": "half"}),
        lambda v: v["settings"].update({"seed": 1.5}),
        lambda v: v.update(changes=[1]),
        lambda v: v.update(data=None),
    ],
)
def test_a_line_of_another_form_is_refused(saved: Path, change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(DataError, match=r"(line 2 of .* is no result of a run|cut or damaged at line 2)") as caught:
        read_results(_changed(saved, change))
    assert len(str(caught.value)) < 500
    assert caught.value.exit_code == 6


def test_cut_and_foreign_files_are_refused(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = saved.read_bytes()
    for size in (len(whole) - 1, len(whole) - 40, 100, 1):
        saved.write_bytes(whole[:size])
        with pytest.raises(DataError, match="cut or damaged"):
            read_results(saved)
    foreign = {b"": "is empty", b"{}\n": "no file of results", b"\x80\x00\n": "damaged", b'{"format":"x"}\n': "no file"}
    for content, words in foreign.items():
        saved.write_bytes(content)
        with pytest.raises(DataError, match=words):
            read_results(saved)
    saved.write_bytes(b"[" * 100_000 + b"\n")
    with pytest.raises(DataError, match="damaged"):
        read_results(saved)
    saved.write_bytes(whole.replace(b'"schema":1', b'"schema":2'))
    with pytest.raises(DataError, match="newer version"):
        read_results(saved)
    saved.write_bytes(whole)
    monkeypatch.setattr(results_file, "_LARGEST", 100)
    with pytest.raises(DataError, match="larger"):
        read_results(saved)
    with pytest.raises(UsageError, match="could not read"):
        read_results(tmp_path / "missing.jsonl")


def test_a_run_with_damaged_records_has_no_result(make_run: MakeRun) -> None:
    run = record(make_run(), [1.0])
    with RunWriter(run) as writer:
        writer.write(eval_done(5, score([float("nan")]), final=True))
    with pytest.raises(NoResult, match="damaged"):
        gather(run)
