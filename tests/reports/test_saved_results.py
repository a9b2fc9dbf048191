"""`lamo report --save-results` and reports from such files; studies that are kept as files are still what they say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lamo_core.errors import DataError, LamoError
from lamo_core.places import studies_dir
from tests.reports.conftest import Trained
from tests.reports.test_report_command import lamo

STUDIES = sorted(path.parent for path in studies_dir().glob("*/results.jsonl"))


@pytest.fixture
def half(trained: Trained, root: Path) -> Path:
    """A study that is half done: one method lacks a seed, and one task has only one method."""
    for seed in (0, 1):
        trained("mujoco-hopper-1pct", seed, [1000.0 + 100 * seed, 1100.0], earlier={9: 1500.0})
        trained("atari-pong-1pct", seed, [seed, 1.0])
    trained("mujoco-hopper-1pct", 0, [400.0, 500.0], method="td3+bc")
    return root


def test_a_file_reports_what_the_runs_do(half: Path, tmp_path: Path) -> None:
    for words in (("--json",), ("--markdown",), ("-f", "task:hopper", "--markdown"), ("--part", "overall")):
        from_runs = lamo(*words).stdout
        lamo("--save-results", str(tmp_path / "all.jsonl"))
        assert lamo(str(tmp_path / "all.jsonl"), *words).stdout == from_runs
    for folder, words in (("a", []), ("b", [str(tmp_path / "all.jsonl")])):
        lamo(*words, "--out", str(tmp_path / folder))
    for file in ("cells.csv", "runs.csv", "scores.svg", "improvement.svg"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_parts_of_several_machines_join(half: Path, tmp_path: Path) -> None:
    whole = lamo("--json").stdout
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    assert lamo("-f", "seed=0", "--save-results", str(one)).stdout == ""
    lamo("-f", "seed=1", "--save-results", str(two))
    shutil.rmtree(half)
    assert lamo(str(one), str(two), "--json").stdout == whole
    again = lamo(str(two), "--save-results", str(one))
    assert "holds the results of 5 runs, 2 of them new" in again.stderr
    assert lamo(str(one), "--json").stdout == whole
    with pytest.raises(LamoError, match="no run has a final evaluation"):
        lamo(str(one), "-f", "seed=7")


def test_half_a_study_says_how_many_seeds_each_method_has(half: Path, tmp_path: Path, trained: Trained) -> None:
    lines = lamo("--markdown").stdout.splitlines()
    assert lines[0] == "| Task | Data | lamo | td3+bc |"
    assert lines[2:4] == ["| Pong | 1 % | 2 | does not fit |", "| Hopper | 1 % | 2 | 1 |"]
    trained("mujoco-hopper-1pct", 1, [400.0, 500.0], method="td3+bc")
    assert "does not fit" not in lamo("--markdown").stdout
    assert "does not fit" in lamo("--markdown", "--part", "coverage").stdout


def test_a_report_says_how_it_was_made(half: Path, tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    lamo("--save-results", str(file))
    lamo(str(file), "-f", "task:hopper", "--baseline", "td3+bc", "--out", str(tmp_path / "out"))
    text = (tmp_path / "out" / "report.md").read_text()
    assert "`lamo report results.jsonl --filter task:hopper --baseline td3+bc --out out`" in text
    assert "from 3 runs" in text
    assert str(tmp_path) not in text


def test_a_damaged_file_is_neither_reported_nor_overwritten(half: Path, tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text("no results\n")
    with pytest.raises(DataError):
        lamo(str(file))
    with pytest.raises(DataError):
        lamo("--save-results", str(file))
    assert file.read_text() == "no results\n"


@pytest.mark.parametrize("folder", STUDIES, ids=lambda folder: folder.name)
def test_kept_studies_are_what_their_results_say(folder: Path) -> None:
    assert lamo(folder.name, "--markdown").stdout.strip() in (folder / "report.md").read_text()
