"""Links, pipes and devices in the folder of a run that somebody sent: none is followed, waited for or written to."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lamo_core.errors import LamoError, StorageError, UsageError
from lamo_core.evaluation.replay_file import load_replay
from lamo_core.files import write_bytes
from lamo_core.reports.results import gather
from lamo_core.runs.control import ControlInbox, send
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.index import RunIndex
from lamo_core.runs.pack import pack_run
from lamo_core.runs.queue.detach import launch
from lamo_core.runs.queue.entry import read_entry, read_launch
from lamo_core.runs.reader import LineTail, read_events
from lamo_core.runs.reliance_file import read_reliance
from lamo_core.runs.status import Status, read_status, write_status
from lamo_core.runs.target_sweep_file import read_asked
from lamo_core.runs.writer import RunWriter
from lamo_core.untrusted.regular_file import links_in, open_regular, read_regular
from lamo_core.untrusted.tensor_file import load_tensors
from lamo_tui.state.run_reader import Follower
from tests.tui.made_runs import make_run

SECRET = b'{"state": "finished", "message": "secret", "config": {"name": "secret"}, "event": "secret", "pid": 1}\n'


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    made = make_run(tmp_path / "runs", "20261121-014402-x-s0-aaaa", steps=200, ending="finished")
    (made.replays / "000100.npz").write_bytes(b"replay")
    return made


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[Path]:
    """Return a file of ours that must neither be read nor changed."""
    path = tmp_path / "secret"
    path.write_bytes(SECRET)
    yield path
    assert path.read_bytes() == SECRET


@pytest.fixture(autouse=True)
def never_hang() -> Iterator[None]:
    signal.alarm(60)
    yield
    signal.alarm(0)


NAMES = ("run.json", "status.json", "launch.json", "queue.json", "metrics.jsonl", "events.jsonl", "log.txt")
NAMES += ("asked.json", "reliance.json", "checkpoints/last.pt", "checkpoints/best.pt", "replays/000100.npz")


def everything(run: RunDirectory) -> str:
    """Return what all readers make of a run, as text."""
    found: list[object] = [read_status(run), read_launch(run), read_entry(run), read_asked(run), read_reliance(run)]
    found += [read_events(run.events_file), LineTail(run.metrics_file).poll(), Follower(run).poll(1e9).log]
    found += [summary.config for summary in RunIndex(run.path.parent).poll()]
    attempts: list[Callable[[], object]] = [run.read_info, lambda: gather(run)]
    attempts += [lambda: load_tensors(run.last_checkpoint, "")]
    attempts += [lambda path=path: load_replay(path) for path in run.replays.glob("*")]
    for attempt in attempts:
        try:
            found.append(attempt())
        except LamoError as error:
            found.append(str(error).replace(str(run.path), ""))
    return repr(found)


@pytest.mark.parametrize("name", NAMES)
def test_a_link_in_a_run_is_read_by_no_reader(run: RunDirectory, secret: Path, name: str) -> None:
    path = run.path / name
    path.unlink(missing_ok=True)
    path.symlink_to(secret)
    assert "secret" not in everything(run)
    with pytest.raises(OSError, match="it is a link, which is not followed"):
        open_regular(path)


@pytest.mark.parametrize("name", ["checkpoints", "replays", "control"])
def test_a_linked_folder_is_read_and_written_by_nobody(run: RunDirectory, tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in ("last.pt", "000100.pt", "a.json", "000100.npz"):
        (elsewhere / file).write_bytes(SECRET)
    folder = run.path / name
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    folder.symlink_to(elsewhere)
    assert "secret" not in everything(run)
    inbox = ControlInbox(run.control)
    assert inbox.poll() == []
    assert inbox.discard() == 0
    with pytest.raises(StorageError, match="it is a link"):
        write_bytes(folder / "new", b"x", "")
    for write in (lambda: send(run, "stop"), lambda: RunWriter(run)):
        with pytest.raises(UsageError, match=f"holds a link, {name}, which is not followed"):
            write()
    assert {file.name: file.read_bytes() for file in elsewhere.iterdir()} == dict.fromkeys(
        ("last.pt", "000100.pt", "a.json", "000100.npz"), SECRET
    )


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_appended_through_a_link(run: RunDirectory, secret: Path, name: str) -> None:
    path = run.path / name
    if name != "run.json":
        path.unlink(missing_ok=True)
        path.symlink_to(secret)
    (run.path / f".status-{os.getpid()}.part").symlink_to(secret)
    (run.path / "status.lock").unlink()
    (run.path / "status.lock").symlink_to(secret.with_name("made"))
    write_status(run, Status(state="stopped"))
    with pytest.raises(LamoError, match=r"it is a link|holds a link"):
        RunWriter(run)
    if name == "log.txt":
        with pytest.raises(StorageError, match="it is a link"):
            launch(run, ["true"])
    assert not secret.with_name("made").exists()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("run.json", "status.json")])
def test_a_link_is_never_packed(run: RunDirectory, secret: Path, tmp_path: Path, name: str) -> None:
    path = run.path / name
    path.unlink(missing_ok=True)
    path.symlink_to(secret)
    packed = pack_run(run, tmp_path / "packed", checkpoint=True)
    assert links_in(packed.path) == []
    assert not any(b"secret" in file.read_bytes() for file in packed.path.rglob("*") if file.is_file())


@pytest.mark.parametrize("name", NAMES)
def test_a_pipe_or_a_folder_in_place_of_a_file_is_waited_for_by_nobody(
    run: RunDirectory, tmp_path: Path, name: str
) -> None:
    path = run.path / name
    path.unlink(missing_ok=True)
    for make in (os.mkfifo, os.mkdir):
        make(path)
        everything(run)
        with pytest.raises(OSError, match=r"no regular file|Is a directory"):
            open_regular(path)
        if name not in ("run.json", "status.json", "launch.json", "queue.json"):
            pack_run(run, tmp_path / make.__name__, checkpoint=True)
        (os.rmdir if path.is_dir() else os.unlink)(path)


def test_a_run_whose_own_folder_is_a_link_works(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(run.path)
    linked = RunDirectory(tmp_path / "link")
    assert linked.read_info() == run.read_info()
    with RunWriter(linked) as writer:
        writer.log("hello")
    assert "hello" in run.log_file.read_text()


def test_files_outside_of_runs_may_be_links_and_are_bounded(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    (tmp_path / "b.npy").symlink_to(tmp_path / "a.npy")
    assert read_regular(tmp_path / "b.npy", 1000) == (tmp_path / "a.npy").read_bytes()
    with pytest.raises(OSError, match="larger than any such file"):
        read_regular(tmp_path / "a.npy", 100)
    with pytest.raises(OSError, match="no regular file"):
        read_regular(os.devnull, 100)
