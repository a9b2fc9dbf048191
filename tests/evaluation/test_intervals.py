"""An interval that says nothing is shown nowhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lamo_core.evaluation.intervals import bracketed, known_interval, spanned, without_points
from lamo_core.evaluation.scores import target_score
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.log.narration import narrate
from lamo_core.runs.reader import read_events
from lamo_core.tasks.registry import get_task
from lamo_tui.cli.app import app
from lamo_tui.screens.run.run_panels import describe
from tests.reports.conftest import root as root
from tests.reports.conftest import trained as trained
from tests.runs.run_doubles import eval_done

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("low", "high"),
    [(1.0, 1.0), (0, 0), (-2.5, -2.5), (NAN, NAN), (NAN, 1.0), (1.0, INF), (None, None), ("NaN", "NaN"), (3.0, 2.0)],
)
def test_points_and_unknown_ends_are_no_interval(low: object, high: object) -> None:
    assert known_interval(low, high) is None
    assert (bracketed(low, high, str), bracketed(low, high, str, " [-]"), spanned(low, high, str)) == ("", " [-]", "-")
    assert without_points([{"low": low, "high": high}]) == [{"low": None, "high": None}]


def test_rounding_makes_no_interval() -> None:
    value = 14.99
    assert known_interval(value, value * (1 + 1e-15)) is None
    assert known_interval(value, value + 1e-6) == (value, value + 1e-6)


def test_intervals_are_written_with_their_ends() -> None:
    assert bracketed(1, 2.5, "{:.1f}".format) == " [1.0, 2.5]"
    assert spanned(1, 2.5, "{:.1f}".format, " %") == "1.0 to 2.5 %"
    kept = {
        "mean_low": 1.0,
        "mean_high": 2.0,
        "low": [0.0],
        "high": [0.0],
        "data_low": 3,
        "other": {"low": 1, "high": 1},
    }
    assert without_points(kept) == {**kept, "other": {"low": None, "high": None}}


SHOWN = re.compile(r"\[(-?[\d.,]+), \1\]|(?<![\d.,])(-?[\d.,]+) to \2(?![\d.,])|\[(-?[\d.]+),\3\]")


@pytest.mark.parametrize("returns", [[14.99], [14.99, 14.99, 14.99]])
def test_an_evaluation_of_one_episode_has_no_interval(returns: list[float]) -> None:
    task = get_task("atari-pong")
    score = target_score(
        task, 20.0, returns, [10] * len(returns), steps_per_second=9.0, context="chunked", action="sample"
    )
    told = [str(score), narrate(eval_done(3, score)), describe({"event": "EvalDone", "scores": [score.to_dict()]})[1]]
    assert all("14.99" in text or "15.0" in text for text in told)
    assert not any("[" in text for text in told)
    assert (score.to_dict()["low"], score.to_dict()["high"]) == (None, None)
    assert describe({"event": "EvalDone", "scores": [{**score.to_dict(), "low": 14.99, "high": 14.99}]})[1] == told[2]


@pytest.mark.parametrize("returns", [[14.99], [14.99, 14.99]])
def test_no_table_no_file_and_no_json_shows_a_point(
    trained: Callable[..., RunDirectory], tmp_path: Path, returns: list[float]
) -> None:
    runs = [trained("atari-pong-1pct", 0, returns, ablations=names) for names in ([], ["frozen"])]
    runs += [trained("atari-pong-10pct", seed, returns, unseen=0.5) for seed in (0, 1)]
    command = CliRunner()
    texts = [command.invoke(app, words).stdout for words in (["report"], ["report", "--markdown"], ["matrix"])]
    out = tmp_path / "out"
    command.invoke(app, ["report", "--out", str(out)])
    texts += [(out / "report.md").read_text()]
    texts += [command.invoke(app, ["runs", "show", runs[0].id]).stdout, runs[0].log_file.read_text()]
    for text in texts:
        assert "15" in text or "149" in text or "14.99" in text
        assert SHOWN.search(text) is None, text
    everything = json.loads(command.invoke(app, ["report", "--json"]).stdout)
    for row in [*everything["rows"], *everything["overall"], *everything["improvement"], *everything["paired"]]:
        assert all(row[name] is None for name in row if name.endswith("low") or name.endswith("high"))
    for cell in everything["cells"]:
        assert (cell["mean_low"], cell["mean_high"], cell["iqm_low"], cell["iqm_high"]) == (None, None, None, None)
    columns, *rows = [line.split(",") for line in (out / "cells.csv").read_text().splitlines()]
    assert {row[columns.index(name)] for row in rows for name in ("mean_low", "iqm_high")} == {""}
    matrix = json.loads(command.invoke(app, ["matrix", "--rows", "seed", "--json"]).stdout)
    assert {cell["low"] for cell in matrix["cells"]} == {None}
    (recorded,) = (event["scores"][0] for event in read_events(runs[0].events_file) if event["event"] == "EvalDone")
    # the double gives the ends of its scores by itself: least and largest return
    assert (recorded["low"], recorded["high"]) == (None, None)
