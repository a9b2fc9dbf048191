"""One evaluation counts for a run, wherever it is asked for: report, matrix, list, file of results, dashboard."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lamo_core.reports.cells import make_cells
from lamo_core.reports.matrix import make_matrix
from lamo_core.reports.results import NoResult, gather, read_result, result_of
from lamo_core.reports.results_file import as_summary, merge
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.evaluations import Standing, history
from lamo_core.runs.index import list_runs
from lamo_core.runs.query import parse_query
from lamo_core.runs.status import EvalPoint, read_status
from lamo_core.runs.writer import RunWriter
from lamo_core.training.events import Changed, EvalDone, Stopped, StopReason
from lamo_tui.cli.app import app
from lamo_tui.screens.runs.preview import _returns
from tests.runs.run_doubles import eval_done, record, score, started, step_done

MakeRun = Callable[..., RunDirectory]


def continued(
    run: RunDirectory, steps: range, *evaluations: EvalDone, reason: StopReason = "stop", total: int = 8
) -> RunDirectory:
    """Let a run go on for some steps, with some evaluations."""
    with RunWriter(run) as writer:
        begin = steps.start - 1
        writer.write(started(step=begin, total=total))
        for step in (begin, *steps):
            if step > begin:
                writer.write(step_done(step, seconds=0.25))
            for evaluation in evaluations:
                if evaluation.step == step:
                    writer.write(evaluation)
        writer.write(Stopped(step, 9.0, reason=reason, message=""))
    return run


LATER = {
    "finished without": lambda run: continued(run, range(5, 9), reason="finished"),
    "stopped": lambda run: continued(run, range(5, 7)),
    "stopped after another": lambda run: continued(run, range(5, 8), eval_done(6, score([40.0]))),
    "stopped at once": lambda run: continued(run, range(5, 5)),
    "failed": lambda run: continued(run, range(5, 7), reason="error"),
    "twice": lambda run: continued(continued(run, range(5, 7), eval_done(6, score([40.0]))), range(7, 8)),
    "evaluated where it began": lambda run: continued(run, range(5, 6), eval_done(4, score([40.0]))),
}


@pytest.mark.parametrize("go_on", LATER.values(), ids=LATER)
def test_a_run_that_goes_on_keeps_its_final_evaluation(
    make_run: MakeRun, tmp_path: Path, go_on: Callable[[RunDirectory], RunDirectory]
) -> None:
    run = go_on(record(make_run(name="p"), [1.0, 3.0]))
    result, (summary,) = read_result(run), list_runs()
    assert (result.steps, result.returns) == (4, (1.0, 3.0))
    assert [step for step, _ in result.evaluations] == [2, 4]
    assert (summary.status.last_return, summary.to_dict()["last_return"]) == (2.0, 2.0)
    (cell,) = make_matrix([summary]).cells.values()
    assert (cell.mean, cell.seeds) == (20.0, 1)
    (seen,) = make_cells([result])
    assert seen.steps == 4
    assert _returns(summary)[0] == "2"
    assert parse_query(["return=2"])(summary)
    file = tmp_path / "results.jsonl"
    command = CliRunner()
    assert command.invoke(app, ["report", "--save-results", str(file)]).exit_code == 0
    done = [json.loads(command.invoke(app, ["report", *words, "--json"]).stdout) for words in ([], [str(file)])]
    assert done[0] == done[1]
    assert [row["steps"] for row in done[0]["rows"]] == [4]


def test_one_continued_run_hides_no_other(make_run: MakeRun) -> None:
    continued(record(make_run(name="p", seed=0), [1.0]), range(5, 9), reason="finished")
    record(make_run(name="p", seed=1), [3.0])
    done = CliRunner().invoke(app, ["report"])
    assert done.exit_code == 0
    assert "0, 1" in done.stdout
    assert "went on without another final evaluation" in done.stderr
    assert "(4, 8)" not in done.stdout


def test_a_newer_final_evaluation_counts(make_run: MakeRun) -> None:
    run = continued(
        record(make_run(name="p"), [1.0]), range(5, 9), eval_done(8, score([5.0]), final=True), reason="finished"
    )
    result = read_result(run)
    assert (result.steps, result.returns, result.continued) == (8, (5.0,), False)
    assert list_runs()[0].status.final == EvalPoint(8, 5.0, 50.0)


def test_a_run_that_goes_back_loses_what_came_after(make_run: MakeRun) -> None:
    run = continued(record(make_run(name="p"), [1.0]), range(3, 4))
    with pytest.raises(NoResult):
        gather(run)
    (summary,) = list_runs()
    assert (summary.status.final, summary.status.last_return) == (None, 100.0)
    assert make_matrix([summary]).cells["none", "100%"].mean is None
    done = CliRunner().invoke(app, ["report"])
    assert "no run has a final evaluation" in str(done.exception)


def test_what_was_changed_later_is_not_what_the_evaluation_was_made_with(make_run: MakeRun) -> None:
    run = record(make_run(name="p"), [1.0])
    with RunWriter(run) as writer:
        for name, value in (("eval.action", "greedy"), ("language.weight", 0.5), ("eval.targets", (1.0, 2.0))):
            writer.write(Changed(4, 4.0, name=name, value=value))
    continued(run, range(5, 7))
    assert gather(run)["changes"] == []
    assert [change.name for change in read_status(run).changes] == ["eval.action", "language.weight", "eval.targets"]
    continued(run, range(7, 9), eval_done(8, score([2.0]), final=True), reason="finished")
    assert gather(run)["changes"][:2] == [[4, "eval.action", "greedy"], [4, "language.weight", "0.5"]]
    assert read_result(run).settings["language.weight"] == "0.0, 0.5 from step 4"


def test_time_and_rate_are_those_until_the_evaluation(make_run: MakeRun) -> None:
    run = record(make_run(name="p"), [1.0])
    before = read_result(run)
    continued(run, range(5, 9), reason="finished")
    events = [json.loads(line) for line in run.events_file.read_text().splitlines()]
    worked = [event["worked"] for event in events if event["event"] == "EvalDone"]
    assert all(seconds >= 0 for seconds in worked)
    after = read_result(run)
    assert after.rate == before.rate == pytest.approx(4.0)
    assert after.continued
    assert not before.continued
    assert [result_of(one).steps for one in merge([gather(run), gather(run)])] == [4]


def test_runs_of_versions_that_did_not_keep_it_have_it_too(make_run: MakeRun) -> None:
    run = continued(record(make_run(name="p"), [1.0]), range(5, 8), eval_done(6, score([40.0])))
    values = json.loads(run.status_file.read_text())
    for name in ("final", "changes", "final_changes"):
        del values[name]
    run.status_file.write_text(json.dumps(values))
    lines = [json.loads(line) for line in run.events_file.read_text().splitlines()]
    run.events_file.write_text("".join(json.dumps({**line, "worked": None}) + "\n" for line in lines))
    (summary,) = list_runs()
    assert summary.status.final == EvalPoint(4, 1.0, 10.0)
    assert read_result(run).seconds == pytest.approx(4 * 0.25 + 2 * 2.0)


def test_a_record_of_results_counts_as_its_run_does(make_run: MakeRun) -> None:
    run = continued(record(make_run(name="p"), [1.0]), range(5, 8))
    point = as_summary(gather(run)).status.final
    assert point is not None
    assert (point.step, point.mean) == (4, 1.0)


def test_before_a_final_evaluation_the_newest_stands_in() -> None:
    one, two = EvalPoint(1, 1.0, 1.0), EvalPoint(2, 2.0, 2.0)
    assert Standing[EvalPoint]().counting is None
    assert Standing((one, two)).counting == two
    assert Standing((one, two), final=one).counting == one
    assert Standing((one,)).evaluated(two, final=True).evaluated(EvalPoint(1, 0.0, 0.0), final=False).final is None


def test_events_of_another_form_say_nothing() -> None:
    odd = [{}, {"event": "EvalDone", "final": True, "scores": [1]}, {"event": "EvalDone", "step": 1, "scores": []}]
    assert history([*odd, {"event": "Started", "step": "x"}]) == Standing()
