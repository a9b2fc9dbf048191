"""The trash: deleted runs come back as they were, together, and not for ever."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lamo_core.errors import UsageError
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.index import list_runs
from lamo_core.runs.queue.entry import this_host
from lamo_core.runs.status import Status, own_process, write_status
from lamo_core.runs.trash import KEPT_DAYS, empty_trash, restore_newest, trash_run, trashed

DAY = 86_400.0


@pytest.fixture
def runs(make_run: Callable[..., RunDirectory]) -> list[RunDirectory]:
    found = [make_run(seed=seed) for seed in range(3)]
    for run in found:
        write_status(run, Status(state="finished"))
    return found


def test_what_was_trashed_together_comes_back_together_newest_first(runs: list[RunDirectory], root: Path) -> None:
    before = list_runs(root)
    trash_run(runs[0], 1000.0)
    for run in runs[1:]:
        trash_run(run, 2000.0)
    assert list_runs(root) == []
    assert set(restore_newest(root)) == {run.id for run in runs[1:]}
    assert restore_newest(root) == [runs[0].id]
    assert list_runs(root) == before
    with pytest.raises(UsageError, match="nothing was deleted"):
        restore_newest(root)


def test_a_run_that_is_there_again_is_not_written_over(runs: list[RunDirectory], root: Path) -> None:
    trash_run(runs[0], 1000.0)
    runs[0].path.mkdir()
    with pytest.raises(UsageError, match="is there again"):
        restore_newest(root)
    assert os.listdir(runs[0].path) == []
    assert len(trashed(root)) == 1


def test_old_trash_makes_room_when_something_new_comes_and_all_of_it_on_demand(
    runs: list[RunDirectory], root: Path
) -> None:
    trash_run(runs[0], 0.0)
    trash_run(runs[1], (KEPT_DAYS - 1) * DAY)
    assert len(trashed(root)) == 2
    trash_run(runs[2], (KEPT_DAYS + 1) * DAY)
    assert sorted(empty_trash(root)) == sorted(run.id for run in runs[1:])
    assert trashed(root) == []


def test_work_and_linked_runs_are_spared(runs: list[RunDirectory], root: Path, tmp_path: Path) -> None:
    pid, started = own_process()
    write_status(runs[0], Status(state="running", pid=pid, pid_started=started, host=this_host(), heartbeat=9e9))
    with pytest.raises(UsageError, match="stop it first"):
        trash_run(runs[0])
    link = tmp_path / "elsewhere" / runs[1].id
    link.parent.mkdir()
    link.symlink_to(os.path.relpath(runs[1].path, link.parent), target_is_directory=True)
    trash_run(RunDirectory(link))
    assert restore_newest(link.parent) == [link.name]
    assert link.resolve() == runs[1].path.resolve()
    trash_run(RunDirectory(link))
    empty_trash(link.parent)
    assert os.listdir(link.parent) == []
    assert runs[1].run_file.exists()
