"""A packed run can be looked at anywhere and tells nothing of the machine that made it."""

from __future__ import annotations

import shutil
import socket
import time
from pathlib import Path

import pytest

from lamo_core.errors import StorageError, UsageError
from lamo_core.files import numbered_checkpoints
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.index import list_runs, summarise
from lamo_core.runs.metrics.series import MetricsTail
from lamo_core.runs.pack import add_demo, demo_run, pack_run, without_paths
from lamo_core.runs.reader import read_events
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


def test_paths_are_left_out_of_words_of_any_length_in_linear_time() -> None:
    assert without_paths("saved /a/b/id/x.pt and c/id/id/y id/z, id", "id/") == "saved x.pt and y z, id"
    begin = time.process_time()
    word = "x" * 3_000_000
    assert without_paths(f"{word} {word}id/end {word}", "id/") == f"{word} end {word}"
    assert time.process_time() - begin < 5


def test_logs_longer_than_a_block_are_packed_whole(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs", "20261121-014402-x-s0-aaaa", ending="finished")
    lines = [f"{number} {run.path}/checkpoints/{number}.pt é" for number in range(60_000)]
    run.log_file.write_text("\n".join(lines))
    packed = pack_run(run, tmp_path / "packed")
    assert packed.log_file.read_text() == "\n".join(f"{number} checkpoints/{number}.pt é" for number in range(60_000))


def test_the_demo_is_a_finished_run_with_curves_and_a_replay(tmp_path: Path) -> None:
    added = add_demo(tmp_path / "runs")
    assert [run.id for run in list_runs(tmp_path / "runs")] == [demo_run().id]
    assert read_status(added).state == "finished"
    metrics = MetricsTail(added.metrics_file)
    metrics.poll()
    assert len(metrics.series("loss")) == read_status(added).total
    assert list(added.replays.glob("*.npz"))
    assert added.last_checkpoint.is_file()
    assert numbered_checkpoints(added.checkpoints)  # an early one to compare with
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
