"""A run as something to hand on: its record and its replays, without what only this machine needs."""

from __future__ import annotations

import codecs
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from lamo_core.errors import UsageError
from lamo_core.files import write_atomically, write_bytes
from lamo_core.places import assets_dir, runs_dir
from lamo_core.runs.directory import RunDirectory, run_ids, storage_error
from lamo_core.runs.reader import read_events
from lamo_core.runs.records import encode
from lamo_core.runs.reliance_file import read_reliance
from lamo_core.runs.status import ENDED, read_state, read_status, write_status
from lamo_core.runs.target_sweep_file import read_asked
from lamo_core.untrusted.regular_file import open_regular

_OUT = "--out FOLDER"
_BLOCK, _LONGEST_PATH = 1 << 20, 4096


def pack_run(run: RunDirectory, folder: Path, *, checkpoint: bool = False) -> RunDirectory:
    """Copy a run that has ended into `folder`, under its id, and return the copy.

    Host name, process and paths of this machine are left out, links too, checkpoints unless `checkpoint` asks for
    `best.pt`. Raises `UsageError` (still at work, or `folder` has it already) or `StorageError`.
    """
    _, derived = read_state(run)
    if derived.state not in ENDED:
        raise UsageError(f"run {run.id} is {derived.state}; only runs that have ended can be packed")
    target = RunDirectory(folder / run.id)
    if target.path.exists():
        raise UsageError(f"{target.path} is there already; choose another folder with {_OUT}")
    info = run.read_info()
    command = ["lamo", *map(str, (info.get("argv") or ["lamo"])[1:])]
    machine = {name: value for name, value in (info.get("machine") or {}).items() if name != "system"}
    about = {"host": "", "git": None, "argv": command, "machine": machine}
    _write(target.run_file, encode(info | about) + "\n")
    _write(target.events_file, "".join(encode(_portable(event)) + "\n" for event in read_events(run.events_file)))
    for file in (run.metrics_file, run.log_file):
        _copy_text(file, target.path / file.name, f"{run.id}{os.sep}")
    _write_findings(run, target)
    try:
        for made in (target.control, target.checkpoints, target.replays):
            made.mkdir()
    except OSError as error:
        raise storage_error(target.path, error) from error
    for replay in sorted(run.replays.glob("*.npz")):
        _copy(replay, target.replays / replay.name)
    if checkpoint:
        _copy(run.best_checkpoint, target.best_checkpoint)
    # last, so that a copy that broke off does not count as a whole run
    write_status(target, replace(read_status(run), pid=None, pid_started=None, host=""))
    return target


def _copy(source: Path, target: Path) -> None:
    """Copy a file; one that is not there, a link or no regular file stays behind. Raises `StorageError`."""
    with suppress(FileNotFoundError), _readable(source) as file:
        write_atomically(target, lambda copy: shutil.copyfileobj(file, copy), _OUT)


def _copy_text(source: Path, target: Path, below: str) -> None:
    """Copy a text without the paths in it that lead to what lies below the run."""

    def pieces(file: IO[bytes]) -> Iterator[bytes]:
        decoder, rest = codecs.getincrementaldecoder("utf-8")("replace"), ""
        while block := file.read(_BLOCK):
            text = without_paths(rest + decoder.decode(block), below)
            # a path may go on in the next block
            rest = text[-_LONGEST_PATH:]
            yield text[: len(text) - len(rest)].encode()
        yield without_paths(rest + decoder.decode(b"", final=True), below).encode()

    with suppress(FileNotFoundError), _readable(source) as file:
        write_atomically(target, lambda copy: copy.writelines(pieces(file)), _OUT)


@contextmanager
def _readable(source: Path) -> Iterator[IO[bytes]]:
    """Open a file of the run; raises `FileNotFoundError` for whatever is no file of it."""
    try:
        file = open_regular(source)
    except OSError as error:
        raise FileNotFoundError(source) from error
    with file:
        yield file


def without_paths(text: str, below: str) -> str:
    """Return a text in which every word loses all up to its last `below`, such as `<run's id>/`, in linear time."""
    parts, at = [], 0
    while (found := text.find(below, at)) >= 0:
        start = found
        while start > at and not text[start - 1].isspace():
            start -= 1
        parts.append(text[at:start])
        at = found + len(below)
    return "".join([*parts, text[at:]])


def demo_run() -> RunDirectory:
    """Return the recorded run that ships with lamo: Breakout on 1 % of the data, with replays and two acting policies.

    Their weights are in half precision, to be small.
    """
    folder = assets_dir() / "demo"
    return RunDirectory(folder / run_ids(folder)[0])


def add_demo(root: Path | None = None) -> RunDirectory:
    """Put the recorded run into a folder of runs, unless it is there, and return it; raises `StorageError`."""
    root, recorded = root or runs_dir(), demo_run()
    target = RunDirectory(Path(os.path.abspath(root)) / recorded.id)
    if not target.run_file.is_file():
        # out of sight until it is whole
        copy = RunDirectory(target.path.with_name(f".new-{recorded.id}"))
        try:
            shutil.rmtree(target.path, ignore_errors=True)
            shutil.rmtree(copy.path, ignore_errors=True)
            shutil.copytree(recorded.path, copy.path)
            for made in (copy.control, copy.checkpoints, copy.replays):
                made.mkdir(exist_ok=True)
            os.replace(copy.path, target.path)
        except OSError as error:
            shutil.rmtree(copy.path, ignore_errors=True)
            raise storage_error(target.path, _first(error)) from error
    return target


def _first(error: OSError) -> OSError:
    """Return the first of the errors that copying a tree collects, as words alone."""
    if not isinstance(error, shutil.Error):
        return error
    return OSError(str(error.args[0][0][2]).partition("] ")[2].partition(": ")[0])


def _write_findings(run: RunDirectory, target: RunDirectory) -> None:
    """Write what is known of the run's policy; what is damaged stays behind."""
    for found, file in ((read_asked(run), target.asked_file), (read_reliance(run), target.reliance_file)):
        if found is not None:
            _write(file, encode(found) + "\n")


def _portable(event: dict[str, Any]) -> dict[str, Any]:
    return event | {"path": f"checkpoints/{Path(str(event['path'])).name}"} if "path" in event else event


def _write(path: Path, text: str) -> None:
    write_bytes(path, text.encode(), _OUT)
