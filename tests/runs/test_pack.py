"""A packed run can be looked at anywhere and tells nothing of the machine that made it."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from lamo_core.errors import StorageError, UsageError
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.index import list_runs, summarise
from lamo_core.runs.pack import add_demo, demo_run, pack_run
from lamo_core.runs.reader import MetricsTail, read_events
from lamo_core.runs.status import read_status
from lamo_core.runs.target_sweep_file import read_asked, write_asked
from tests.runs.test_asked import FOUND
from tests.tui.made_runs import make_run


def texts(run: RunDirectory) -> str:
    return "".join(path.read_text("utf-8", "replace") for path in run.path.iterdir() if path.is_file())


def test_a_packed_run_shows_the_same_and_names_no_machine(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs", "20261121-014402-x-s0-aaaa", ending="finished")
    (run.replays / "000400.npz").write_bytes(b"replay")
    run.best_checkpoint.write_bytes(b"weights")
    write_asked(run, FOUND)
    packed = pack_run(run, tmp_path / "packed")
    assert str(tmp_path) not in texts(packed)
    assert socket.gethostname() not in texts(packed)
    ours, theirs = summarise(run), summarise(packed)
    assert (ours.state, ours.status.evaluations) == (theirs.state, theirs.status.evaluations)
    assert [event["event"] for event in read_events(packed.events_file)] == [
        event["event"] for event in read_events(run.events_file)
    ]
    assert (packed.replays / "000400.npz").read_bytes() == b"replay"
    assert read_asked(packed) == FOUND
    assert not packed.best_checkpoint.exists()
    assert pack_run(run, tmp_path / "with", checkpoint=True).best_checkpoint.read_bytes() == b"weights"


def test_a_run_at_work_and_a_second_copy_are_refused(tmp_path: Path) -> None:
    working = make_run(tmp_path / "runs", "20261121-014402-x-s0-aaaa")
    with pytest.raises(UsageError, match="only runs that have ended"):
        pack_run(working, tmp_path / "packed")
    ended = make_run(tmp_path / "runs", "20261121-014402-x-s0-bbbb", ending="finished")
    pack_run(ended, tmp_path / "packed")
    with pytest.raises(UsageError, match="there already"):
        pack_run(ended, tmp_path / "packed")


def test_the_demo_is_a_finished_run_with_curves_and_a_replay(tmp_path: Path) -> None:
    added = add_demo(tmp_path / "runs")
    assert [run.id for run in list_runs(tmp_path / "runs")] == [demo_run().id]
    assert read_status(added).state == "finished"
    metrics = MetricsTail(added.metrics_file)
    metrics.poll()
    assert len(metrics.series("loss")) == read_status(added).total
    assert list(added.replays.glob("*.npz"))
    assert add_demo(tmp_path / "runs") == added


def test_a_copy_of_the_demo_that_broke_off_is_one_sentence_and_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        (target / "replays").mkdir(parents=True)
        (target / "run.json").write_text("{}")
        raise shutil.Error([("a", "b", "[Errno 28] No space left on device: 'a' -> 'b'")] * 3)

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copytree", full)
        with pytest.raises(StorageError, match=r": No space left on device; free space or"):
            add_demo(tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []
    assert add_demo(tmp_path / "runs").metrics_file.is_file()
