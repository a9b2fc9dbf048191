"""Systems without some of Linux's parts: everything loads, files are written, a run trains and is read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lamo_core import system_parts
from lamo_core.doctor import examine_system
from lamo_core.files import locked, write_bytes

ELSEWHERE = """
import os, signal, sys
import psutil  # whose code for Linux needs what is hidden here
for name in ("fcntl", "resource", "termios", "tty", "pty", "pwd", "grp"):
    sys.modules[name] = None
for name in ("SIGUSR1", "SIGUSR2", "SIGHUP", "SIGKILL", "SIGSTOP", "SIGCONT"):
    delattr(signal, name)
for name in ("O_NOFOLLOW", "O_DIRECTORY", "O_NONBLOCK", "O_CLOEXEC", "getuid", "sched_getaffinity"):
    delattr(os, name)
os.supports_dir_fd.clear()
"""
"""Takes from Python what Windows lacks."""
USE = """
from pathlib import Path
root = Path(sys.argv[1])
import lamo_tui.cli.app
from lamo_tui.cli.commands import COMMANDS, load
for name in COMMANDS:
    load(name)
from lamo_core.files import locked, scratch_folder, write_bytes
write_bytes(root / "a" / "file", b"one", "--out FOLDER")
write_bytes(root / "a" / "file", b"two", "--out FOLDER")
assert (root / "a" / "file").read_bytes() == b"two"
with locked(root / "lock", "--out FOLDER"):
    pass
with scratch_folder(root / "b") as folder:
    (folder / "x").write_text("x")
assert list((root / "b").iterdir()) == []
from lamo_core.runs.signals import catch_signals
from lamo_core.runs.control import Interrupts
interrupts = Interrupts()
with catch_signals(interrupts, announce=print, leave=print):
    signal.raise_signal(signal.SIGTERM)
assert interrupts.stop == "SIGTERM"
from lamo_core.config import RunConfig
from lamo_core.runs.create import create_run
from lamo_core.runs.writer import RunWriter
from tests.runs.run_doubles import started, step_done
run = create_run(root / "runs", RunConfig(), {}, ["lamo", "train"])
with RunWriter(run) as writer:
    writer.write(started())
    writer.write(step_done(1))
from lamo_core.runs.index import list_runs
assert [one.status.step for one in list_runs(root / "runs")] == [1]
os.symlink(root / "a" / "file", run.path / "log2.txt")
from lamo_core.untrusted.regular_file import open_regular
try:
    open_regular(run.path / "log2.txt")
except OSError as error:
    assert "link" in str(error), error
else:
    raise AssertionError("a link was followed")
from lamo_core.data.sandbox import hdf5_worker
from lamo_core.system_parts import limit_memory
limit_memory(1)
from lamo_core.doctor import examine_system
print(*(check.found for check in examine_system()), sep="\\n")
"""


def test_lamo_works_where_linuxs_parts_are_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE + USE, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    for part in ("locks of open files", "limits of memory", "opening without links", "SIGUSR1", "SIGHUP"):
        assert f"has no {part}" in done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that has all parts")
def test_nothing_is_lacking_here() -> None:
    assert list(examine_system()) == []


def test_two_do_not_hold_a_lock_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filelock = pytest.importorskip("filelock")
    monkeypatch.setattr(system_parts, "fcntl", None)
    with locked(tmp_path / "lock", "--out FOLDER"), pytest.raises(filelock.Timeout):
        filelock.FileLock(tmp_path / "lock.held", timeout=0).acquire()


def test_old_temporary_files_go_where_nothing_can_be_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_parts, "fcntl", None)
    old, young = tmp_path / ".lamo-a.part", tmp_path / ".lamo-b.part"
    for path in (old, young):
        path.write_bytes(b"x")
    os.utime(old, (0, 0))
    write_bytes(tmp_path / "file", b"x", "--out FOLDER")
    assert not old.exists()
    assert young.exists()
