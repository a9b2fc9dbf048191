"""`lamo analyse` on the checkpoint of a small real session."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
import typer
from typer.testing import CliRunner

from lamo_core.analysis import findings, target_sweep
from lamo_core.errors import LamoError
from lamo_core.evaluation.rollout_spec import Asked
from lamo_core.evaluation.scores import target_score
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.reliance_file import read_reliance
from lamo_core.tasks.registry import get_task
from lamo_core.training.session import new_session
from lamo_tui.cli.analyse.analyse import analyse
from tests.analysis.test_analysis import trained
from tests.training.conftest import MakeConfig, make_config, toy_store

__all__ = ["make_config"]


def lamo(*words: str) -> Any:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(analyse)
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def checkpoint(make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A trained checkpoint; its data are the toy's, and it achieves half of what it is asked for."""
    monkeypatch.setattr(findings, "open_data", lambda *arguments: toy_store())

    def half(policy: Any, task: Any, asked: Asked, **rest: Any) -> Any:
        scores = [
            target_score(
                get_task("atari-breakout"),
                target,
                [target / 2] * asked.episodes,
                [10] * asked.episodes,
                steps_per_second=1.0,
                context="chunked",
                action="sample",
            )
            for target in asked.targets
        ]
        return SimpleNamespace(scores=tuple(scores))

    monkeypatch.setattr(target_sweep, "evaluate", half)
    session = new_session(make_config(model={"backbone": "mini"}))
    return str(trained(session, tmp_path / "run"))


def test_all_parts_are_printed_written_and_given_as_json(checkpoint: str, tmp_path: Path) -> None:
    folder = tmp_path / "found"
    outcome = lamo(checkpoint, "--targets", "4", "--windows", "4", "--out", str(folder))
    for words in ("c_attn (adapter)", "Markov heads", "before", "newest state", "beyond the data"):
        assert words in outcome.stdout
    assert "rank correlation of asked and achieved 1.00" in outcome.stderr
    with (folder / "trunk.csv").open() as file:
        assert [row["block"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]
    for name in ("movement", "attention", "reliance", "forgetting", "asked"):
        with (folder / f"{name}.csv").open() as file:
            assert list(csv.DictReader(file))
        assert ElementTree.fromstring((folder / f"{name}.svg").read_text()).tag.endswith("svg")
    values = json.loads(lamo(checkpoint, "--targets", "4", "--windows", "4", "--json").stdout)
    assert [score["mean"] for score in values["asked"]["scores"]] == [
        score["target"] / 2 for score in values["asked"]["scores"]
    ]
    assert len(values["attention"]["heads"]) == 32
    assert [point["step"] for point in values["forgetting"]] == [0, 3, 6]
    assert values["reliance"][-1]["share"] == 1.0
    assert values["movement"][0]["relative"] > 0


def test_the_trunk_of_a_language_model_is_measured_without_a_run(tmp_path: Path) -> None:
    (measure,) = json.loads(lamo("scaled:mini", "--part", "trunk", "--json").stdout)["trunk"]
    assert measure["growth"] == sorted(measure["growth"])
    assert measure["verdict"] == ""
    outcome = lamo("random:mini", "--part", "trunk", "--out", str(tmp_path))
    assert "close to the identity" in outcome.stdout
    assert (tmp_path / "trunk.csv").read_text().splitlines()[0] == "block,size"
    with pytest.raises(LamoError, match=r"nobody is neither a run nor a model: .*lamo train.*lamo lm get nobody"):
        lamo("nobody", "--part", "trunk")


def test_one_part_can_be_asked_for(checkpoint: str) -> None:
    values = json.loads(lamo(checkpoint, "--part", "movement", "--json").stdout)
    assert values["movement"]
    assert values["attention"] is values["forgetting"] is values["asked"] is None
    with pytest.raises(LamoError, match="did you mean 'attention'"):
        lamo(checkpoint, "--part", "atention")


def test_what_a_policy_does_not_have_is_left_out_and_said(make_config: MakeConfig, tmp_path: Path) -> None:
    session = new_session(make_config(model={"backbone": "random:mini"}))
    session.save(tmp_path / "x.pt")
    outcome = lamo(str(tmp_path / "x.pt"), "--part", "movement")
    assert "Markov" not in outcome.stdout
    with pytest.raises(LamoError, match="no language that it could forget"):
        lamo(str(tmp_path / "x.pt"), "--part", "forgetting")


def test_methods_without_a_trunk_still_say_what_moved(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    monkeypatch.setattr(findings, "open_data", lambda *arguments: toy_store())
    session = new_session(replace(make_config(), method="bc"))
    path = trained(session, tmp_path / "run")
    outcome = lamo(str(path))
    assert "left out attention: bc has no trunk, so it has no attention" in outcome.stderr.replace("\n", " ")
    assert "bc is told no return" in outcome.stderr.replace("\n", " ")
    values = json.loads(lamo(str(path), "--part", "movement", "--json").stdout)
    assert all(row["relative"] > 0 for row in values["movement"])


def test_what_decides_is_kept_only_in_a_runs_folder(checkpoint: str, tmp_path: Path) -> None:
    with pytest.raises(LamoError, match="in no run's folder"):
        lamo(checkpoint, "--part", "reliance", "--keep")
    with pytest.raises(LamoError, match="add --part reliance"):
        lamo(checkpoint, "--part", "movement", "--keep")
    run = RunDirectory(Path(checkpoint).parent.parent)
    run.run_file.write_text("{}")
    lamo(checkpoint, "--part", "reliance", "--windows", "8")
    assert read_reliance(run) is None
    lamo(checkpoint, "--part", "reliance", "--windows", "8", "--keep")
    kept = read_reliance(run)
    assert kept is not None
    assert (kept.step, kept.parts[-1].share) == (6, 1.0)
