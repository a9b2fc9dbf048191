"""The process that asks a run's policy for returns: what it tells, what it keeps, and that it never outlives us."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lamo_core.config import RunConfig
from lamo_core.player.target_sweep_worker import EPISODES, TARGETS, answer
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.target_sweep_file import parse_asked, read_asked
from lamo_core.training.checkpoint import read_checkpoint, write_checkpoint
from tests.player.tiny import TARGET


@pytest.fixture
def run(tiny_run: RunDirectory, tmp_path: Path) -> RunDirectory:
    """Return a run that may be changed."""
    return RunDirectory(Path(shutil.copytree(tiny_run.path, tmp_path / "run")))


def told(run: RunDirectory) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []
    answer(run, heard.append)
    return heard


def test_what_was_found_is_told_and_kept(run: RunDirectory) -> None:
    *progress, done = told(run)
    assert {header["kind"] for header in progress} == {"progress"}
    assert (progress[-1]["done"], progress[-1]["total"]) == (TARGETS * EPISODES, TARGETS * EPISODES)
    found = parse_asked(done["found"])
    assert (done["kind"], done["note"]) == ("done", "")
    assert found == read_asked(run)
    assert (found.step, found.data_low, found.data_mean, found.data_high) == (3, 1.0, 5.0, 13.0)
    assert found.targets == (TARGET, 6.0)
    assert [score.target for score in found.scores] == [1.0, 4.75, 8.5, 12.25, 16.0]
    assert all(score.low <= score.mean <= score.high and score.episodes == EPISODES for score in found.scores)
    assert found.clipped == (RunConfig().data.rewards == "clipped")


def test_what_cannot_be_kept_is_told_all_the_same(run: RunDirectory) -> None:
    run.asked_file.mkdir()  # for root no folder is read-only
    done = told(run)[-1]
    assert done["note"].startswith("shown, but not kept: could not write")
    assert len(parse_asked(done["found"]).scores) == TARGETS


def test_what_cannot_be_asked_is_a_sentence(run: RunDirectory) -> None:
    checkpoint = read_checkpoint(run.last_checkpoint)
    facts = {name: value for name, value in checkpoint.data.items() if name != "return_max"}
    write_checkpoint(run.last_checkpoint, replace(checkpoint, data=facts))
    (error,) = told(run)
    assert error["kind"] == "error"
    assert "does not say which returns its data have" in error["text"]
    run.last_checkpoint.write_bytes(b"nonsense")
    assert told(run)[-1]["kind"] == "error"
    assert not run.asked_file.exists()


def test_out_of_memory_is_a_sentence(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("lamo_core.analysis.target_sweep.ask", full)
    assert told(run)[-1] == {
        "kind": "error",
        "text": "this machine is out of memory; close other programs, or ask for less at once",
    }


def test_the_process_ends_with_who_started_it(run: RunDirectory) -> None:
    command = [sys.executable, "-m", "lamo_core.player.target_sweep_worker", str(run.path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    try:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=60) == 0
        assert not run.asked_file.exists()
    finally:
        process.kill()
