"""Making and finding runs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lamo_core.config import RunConfig
from lamo_core.errors import StorageError, UsageError
from lamo_core.runs import create
from lamo_core.runs.create import clear_half_runs, create_run
from lamo_core.runs.directory import RunDirectory, find_run, run_ids
from lamo_core.runs.index import list_runs
from lamo_core.runs.status import read_state

MakeRun = Callable[..., RunDirectory]


def test_a_new_run_says_what_it_is(root: Path) -> None:
    config = RunConfig.from_dict({"name": "a preset+frozen/x", "seed": 7, "optim": {"steps": 12}})
    run = create_run(root, config, {"seed": "command line"}, ["lamo", "train"])
    assert re.fullmatch(r"\d{8}-\d{6}-a-preset\+frozen-x-s7-[a-z2-7]{4}", run.id)
    info = json.loads(run.run_file.read_text())
    assert RunConfig.from_dict(info["config"]) == config == run.read_config()
    assert info["origins"] == {"seed": "command line"}
    assert info["argv"] == ["lamo", "train"]
    assert {"python", "lamo", "numpy"} <= set(info["versions"])
    assert info["machine"]["cpus"] >= 1
    status, derived = read_state(run)
    assert (derived.state, status.step, status.total) == ("queued", 0, 12)
    assert run.control.is_dir()
    assert run.checkpoints.is_dir()


def test_runs_of_the_same_second_do_not_meet(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = iter("aaaaaaaabbbb")
    monkeypatch.setattr(create.secrets, "choice", lambda _: next(letters))
    monkeypatch.setattr(create.time, "strftime", lambda *_: "20261121-014402")
    first = create_run(root, RunConfig(), {}, [])
    second = create_run(root, RunConfig(), {}, [])
    assert [first.id[-4:], second.id[-4:]] == ["aaaa", "bbbb"]


def test_a_root_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StorageError, match=r"could not write .*Permission denied.*LAMO_RUNS"):
        create_run(tmp_path / "locked", RunConfig(), {}, [])


def test_a_root_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="could not write"):
        create_run(tmp_path / "file", RunConfig(), {}, [])


def test_a_full_disk_is_one_sentence(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        create_run(root, RunConfig(), {}, [])
    assert list(root.iterdir()) == [], "half a run is nobody's"


KILLED = """
import os, signal, sys
from pathlib import Path
from lamo_core.config import RunConfig
from lamo_core.runs import create
create.write_status = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
create.create_run(Path(sys.argv[1]), RunConfig(), {}, [])
"""


def test_a_run_that_was_killed_while_it_was_made_is_never_seen_and_cleared(root: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(root)], timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert len(list(root.iterdir())) == 1
    assert run_ids(root) == [] == list_runs(root)
    run = create_run(root, RunConfig(), {}, [])
    assert [path.name for path in root.iterdir()] == [run.id]


def test_an_error_of_any_kind_leaves_no_half_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr("lamo_core.runs.create.write_status", fail)
    with pytest.raises(MemoryError):
        create_run(root, RunConfig(), {}, [])
    assert list(root.iterdir()) == []


def test_a_name_that_is_no_utf_8_is_refused_before_anything_is_made(root: Path) -> None:
    with pytest.raises(UsageError, match="UTF-8"):
        create_run(root, RunConfig(), {}, ["lamo", "\udcff"])
    assert not root.exists()


def test_half_runs_of_earlier_versions_are_cleared_and_nothing_else(root: Path) -> None:
    old = time.time() - 7200
    names = [*(f"20260101-000000-pong-s0-{ending}" for ending in ("aaaa", "bbbb", "cccc")), "my-folder"]
    names += [".removed-20260101-000000-pong-s0-dddd", "20260101-000000-pong-s0-eeee"]
    for name in names:
        (root / name / "checkpoints").mkdir(parents=True)
    (root / names[0] / "tmpabcdefgh.part").write_text("{")
    (root / names[1] / "checkpoints" / "000100.pt").write_text("trained")
    (root / names[2] / "run.json").write_text("{}")
    for name in names[:-1]:
        os.utime(root / name, (old, old))
    clear_half_runs(root)
    assert sorted(path.name for path in root.iterdir()) == sorted([*names[1:4], names[5]]), "the last one is new"


def _make(root: Path, *ids: str) -> None:
    for name in ids:
        (root / name).mkdir(parents=True)
        (root / name / "run.json").write_text("{}")


def test_runs_are_found_by_last_path_prefix_and_part(root: Path) -> None:
    _make(root, "20260101-000000-pong-s0-aaaa", "20260102-000000-qbert-s0-bbbb")
    (root / "notes").mkdir()
    (root / ".removed-x").mkdir()
    assert run_ids() == ["20260101-000000-pong-s0-aaaa", "20260102-000000-qbert-s0-bbbb"]
    assert find_run("last").id.endswith("bbbb")
    assert find_run("20260101").id.endswith("aaaa")
    assert find_run("aaaa").id.endswith("aaaa")
    assert find_run(root / "20260101-000000-pong-s0-aaaa").id.endswith("aaaa")
    assert find_run("20260102-000000-qbert-s0-bbbb").path.is_absolute()


def test_what_is_not_found_says_what_is_near(root: Path) -> None:
    with pytest.raises(UsageError, match="there are no runs"):
        find_run("last")
    _make(root, "20260101-000000-pong-s0-aaaa", "20260102-000000-pong-s0-bbbb")
    with pytest.raises(UsageError, match=r"2 runs fit 'pong'.*aaaa.*bbbb"):
        find_run("pong")
    with pytest.raises(UsageError, match="did you mean '20260101-000000-pong-s0-aaaa'"):
        find_run("20260101-000000-pnog-s0-aaaa")
    with pytest.raises(UsageError, match="there is no run ''"):
        find_run("")


def test_a_damaged_run_file_is_one_sentence(run: RunDirectory) -> None:
    run.run_file.write_text('{"config": 3')
    with pytest.raises(UsageError, match="damaged"):
        run.read_config()
    run.run_file.unlink()
    with pytest.raises(UsageError, match=r"could not read run\.json"):
        run.read_info()
