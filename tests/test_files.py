"""Writing files: whole or not at all, and nothing of killed processes stays while living ones are left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lamo_core import files, system_parts
from lamo_core.errors import StorageError
from lamo_core.files import clear_abandoned, replace_file, scratch_folder, write_atomically, write_bytes

HALF = """
import sys, time
from pathlib import Path
from lamo_core.files import scratch_folder, write_atomically

def half(file):
    file.write(b"half of it")
    file.flush()
    print("ready", flush=True)
    time.sleep(120)

folder = Path(sys.argv[1])
if sys.argv[2] == "file":
    write_atomically(folder / "whole.pt", half, "elsewhere")
else:
    with scratch_folder(folder) as scratch:
        half((scratch / "part").open("wb"))
"""


@pytest.fixture(autouse=True)
def _first_visit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process be one that has just begun."""
    monkeypatch.setattr(files, "_cleared", set())


@pytest.fixture(params=["file", "folder"])
def writing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Return a process in the middle of writing."""
    command = [sys.executable, "-c", HALF, str(tmp_path), request.param]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def test_what_a_killed_process_left_is_gone_after_the_next_start(
    writing: subprocess.Popen[str], tmp_path: Path
) -> None:
    (half,) = tmp_path.iterdir()
    for look in (clear_abandoned, lambda folder: write_bytes(folder / "other", b"x", "elsewhere")):
        look(tmp_path)
        assert half.exists(), "its process lives"
    files._cleared.clear()
    writing.send_signal(signal.SIGKILL)
    writing.wait(30)
    assert half.exists()
    write_bytes(tmp_path / "whole.pt", b"whole", "elsewhere")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "whole.pt"]


def test_each_folder_is_looked_through_once(tmp_path: Path) -> None:
    left = tmp_path / ".lamo-abcdefgh.part"
    write_bytes(tmp_path / "first", b"x", "elsewhere")
    left.write_bytes(b"x")
    write_bytes(tmp_path / "second", b"x", "elsewhere")
    assert left.exists()
    clear_abandoned(tmp_path)
    assert not left.exists()


def test_only_our_own_names_are_cleared_and_nothing_is_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_bytes(b"x")
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("tmpabcdefgh.part", ".lamo-x.parts", "lamo-x.part", "data.hdf5.part"):
        (folder / name).write_bytes(b"x")
    (folder / ".lamo-link.part").symlink_to(elsewhere)
    (folder / ".lamo-link2.part").symlink_to(elsewhere / "kept")
    os.mkfifo(folder / ".lamo-pipe.part")
    before = sorted(path.name for path in folder.iterdir())
    clear_abandoned(folder)
    clear_abandoned(tmp_path / "not there")
    assert sorted(path.name for path in folder.iterdir()) == before
    assert (elsewhere / "kept").exists()


def test_whoever_writes_begins_again_when_what_it_has_just_made_is_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, cleared = system_parts.fcntl.flock, []

    def cleared_first(descriptor: int, how: int) -> None:
        if not cleared:  # between the making of the file and its lock
            cleared.extend(tmp_path.iterdir())
            cleared[0].unlink()
        lock(descriptor, how)

    monkeypatch.setattr(system_parts.fcntl, "flock", cleared_first)
    write_bytes(tmp_path / "file", b"whole", "elsewhere")
    assert len(cleared) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    cleared.clear()
    with scratch_folder(tmp_path / "made") as scratch:
        assert scratch.is_dir()


def test_without_locks_everything_is_written_and_nothing_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(descriptor: int, how: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(system_parts.fcntl, "flock", none)
    left = tmp_path / ".lamo-abcdefgh.part"
    left.write_bytes(b"x")
    write_bytes(tmp_path / "file", b"whole", "elsewhere")
    assert (tmp_path / "file").read_bytes() == b"whole"
    assert left.exists()


def test_what_breaks_off_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old", "elsewhere")

    def full(file: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="No space left on device; free space or choose another place with elsewher"):
        write_atomically(path, full, "elsewhere")

    def stop(file: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, stop, "elsewhere")
    with pytest.raises(KeyboardInterrupt), scratch_folder(tmp_path):
        stop(None)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]
    with pytest.raises(StorageError, match="No such file"):
        replace_file(tmp_path / "not there" / "file", lambda file: file.write(b"x"), "elsewhere")


def test_a_scratch_folder_that_was_moved_away_stays(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as scratch:
        (scratch / "part").write_bytes(b"x")
        os.rename(scratch, tmp_path / "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "whole").stat().st_mode & 0o777 == 0o777 & ~mask
