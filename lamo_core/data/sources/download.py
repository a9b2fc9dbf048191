"""One downloader for every source: it resumes, retries, changes to mirrors, and checks what arrives.

Bytes go to `<name>.part` beside the destination, with a note of where they are from; the file gets its name when it is
whole. After an interruption of any kind, the next call goes on where that one stopped.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from lamo_core.errors import DamagedDataError, MissingError, StorageError, UsageError
from lamo_core.files import write_bytes
from lamo_core.network import NO_NETWORK, FirstAnswer, Persistence
from lamo_core.places import DATA_ELSEWHERE
from lamo_core.system_parts import try_lock
from lamo_core.untrusted.byte_stream import TIMEOUT, ByteStream, RangeRefused, TransferProblem, open_stream
from lamo_core.untrusted.parsing import parse_json

Progress = Callable[[str, int, int], None]
MAX_BYTES = 8 * 2**30
_CHUNK = 256 * 1024


@dataclass(frozen=True)
class Resource:
    """A file that can be fetched."""

    name: str
    """For people."""
    urls: tuple[str, ...]
    """The same content at each; the first one that works is taken."""
    sha256: str = ""
    """In hexadecimal, where one is published."""
    size: int = 0
    """Bytes, where published."""
    largest: int = MAX_BYTES
    """More bytes than this are refused."""


@dataclass(frozen=True)
class _Note:
    """What is known of the bytes in a `.part` file."""

    url: str = ""
    validator: str = ""
    total: int = 0


class _WrongContentError(TransferProblem):
    """The content is not the published one."""


def probe_size(resource: Resource) -> int | None:
    """Return the bytes of a resource: the published number, else what its server says; None when nobody does.

    Raises `MissingError` when no address of it answers.
    """
    if resource.size:
        return resource.size
    problems: list[str] = []
    first = FirstAnswer(len(resource.urls))
    for url in resource.urls:
        try:
            with open_stream(url, wait=first.share()) as stream:
                return stream.total
        except TransferProblem as problem:
            problems.append(f"{url} {problem}")
            first.heard = first.heard or problem.reached
    advice = "check the network and the address" if first.heard else NO_NETWORK
    raise MissingError(f"could not find {resource.name}: {'; '.join(problems)}; {advice}")


def download(
    resource: Resource,
    path: Path,
    progress: Progress | None = None,
    *,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Fetch `resource` to `path`, which appears only when it is whole; goes on from an earlier interruption.

    Raises `MissingError` when no address gives it, `DataError` when what they give is not the published
    content, `StorageError`, and `UsageError` while another process fetches the same file.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with _opened(part, path) as file:
            try:
                _fetch(resource, part, file, progress, pause)
                os.replace(part, path)
            finally:
                if part.exists() and not part.stat().st_size:  # nothing came that could be gone on from
                    part.unlink()
                    _note_path(part).unlink(missing_ok=True)
        _note_path(part).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"could not write {part}: {error.strerror or error}; free space or choose another place with "
            f"{DATA_ELSEWHERE}"
        ) from error


@contextmanager
def _opened(part: Path, path: Path) -> Iterator[IO[bytes]]:
    with open(part, "ab") as file:
        try:
            try_lock(file.fileno())
        except OSError as error:
            raise UsageError(f"another process is fetching {path.name}; wait for it, or stop it") from error
        yield file


def _fetch(
    resource: Resource, part: Path, file: IO[bytes], progress: Progress | None, pause: Callable[[float], None]
) -> None:
    problems: list[str] = []
    wrong, final = False, True
    first = FirstAnswer(len(resource.urls))
    for url in resource.urls:
        try:
            _from_address(resource, url, part, file, progress, pause, first)
            file.flush()
            os.fsync(file.fileno())
            _check_content(resource, part, file)
            return
        except TransferProblem as problem:
            problems.append(f"{url} {problem}")
            first.heard = first.heard or problem.reached
            wrong, final = wrong or isinstance(problem, _WrongContentError), final and problem.permanent
    said = f"could not get {resource.name}: {'; '.join(problems)}"
    if not first.heard:
        raise MissingError(f"{said}; {NO_NETWORK}")
    advice = "run again to fetch it anew" if wrong else "check the name" if final else "run again to go on from there"
    advice += ", or name another address in the file of LAMO_SOURCES"
    if wrong:
        raise DamagedDataError(said, advice)
    raise MissingError(f"{said}; {advice}")


def _from_address(
    resource: Resource,
    url: str,
    part: Path,
    file: IO[bytes],
    progress: Progress | None,
    pause: Callable[[float], None],
    first: FirstAnswer,
) -> None:
    """Fetch the rest of the file from one address, with retries; raises `TransferProblem` when it is given up."""
    persistence = Persistence()
    wait = first.share()
    while True:
        before = file.seek(0, os.SEEK_END)
        try:
            _attempt(resource, url, part, file, progress, wait)
            return
        except TransferProblem as problem:
            seconds = persistence.pause_after(problem, file.seek(0, os.SEEK_END) - before)
            if seconds is None:
                raise
            wait = TIMEOUT
            if progress is not None:
                progress(f"{url} {problem}; trying again in {seconds:.0f} s", 0, 0)
            pause(seconds)


def _attempt(resource: Resource, url: str, part: Path, file: IO[bytes], progress: Progress | None, wait: float) -> None:
    """Append what one connection gives, which begins to answer in `wait` seconds; returns when the content is whole."""
    have, note = file.seek(0, os.SEEK_END), _read_note(part)
    if have and note.url != url and not resource.sha256:
        have, note = 0, _Note()  # without a hash nothing says that two addresses hold the same version
    try:
        with open_stream(url, have, note.validator if note.url == url else "", wait) as stream:
            # not every server heeds the condition under which it was asked to go on
            if stream.start and _is_changed(note, url, stream):
                file.truncate(0)
                raise TransferProblem("has another version now")
            file.truncate(stream.start)
            total = stream.total or 0
            _check_size(resource, total, part, total - stream.start)
            _write_note(part, _Note(url, stream.validator, total))
            done = _copy(stream.read, file, stream.start, total, resource, progress)
    except RangeRefused as refused:
        if refused.total == have:
            return
        file.truncate(0)
        raise
    if total and done < total:
        raise TransferProblem(f"broke off at byte {done:,} of {total:,}")


def _is_changed(note: _Note, url: str, stream: ByteStream) -> bool:
    if note.total and stream.total not in (None, note.total):
        return True
    known = note.url == url and note.validator and stream.validator
    return bool(known) and note.validator != stream.validator


def _copy(
    read: Callable[[int], bytes],
    file: IO[bytes],
    done: int,
    total: int,
    resource: Resource,
    progress: Progress | None,
) -> int:
    while block := read(_CHUNK):
        file.write(block)
        done += len(block)
        if done > resource.largest or (total and done > total):
            file.truncate(0)
            raise _WrongContentError(f"sends more than {min(total or done, resource.largest):,} bytes", permanent=True)
        if progress is not None:
            progress(f"getting {resource.name}", done, total)
    file.flush()
    return done


def _check_size(resource: Resource, total: int, part: Path, missing: int) -> None:
    if total > resource.largest:
        raise _WrongContentError(f"says that it has {total:,} bytes, more than any such file has", permanent=True)
    if total and resource.size and total != resource.size:
        raise _WrongContentError(f"says that it has {total:,} bytes instead of {resource.size:,}", permanent=True)
    free = shutil.disk_usage(part.parent).free
    if missing > free:
        raise StorageError(
            f"{resource.name} needs {missing:,} bytes more and {part.parent} has {free:,}; free space or choose "
            f"another place with {DATA_ELSEWHERE}"
        )


def _check_content(resource: Resource, part: Path, file: IO[bytes]) -> None:
    size = part.stat().st_size
    problem = f"gave {size:,} bytes instead of {resource.size:,}" if resource.size and size != resource.size else ""
    if not problem and resource.sha256:
        found = file_sha256(part)
        if found != resource.sha256.lower():
            problem = f"gave a file whose SHA-256 is {found}, not the published {resource.sha256.lower()}"
    if problem:
        file.truncate(0)  # what is wrong must not be gone on from
        raise _WrongContentError(problem, permanent=True)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    digest = sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _note_path(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_note(part: Path) -> _Note:
    try:
        values: dict[str, Any] = parse_json(_note_path(part).read_bytes()[:10_000])
        return _Note(str(values["url"]), str(values["validator"]), int(values["total"]))
    except (OSError, ValueError, KeyError, TypeError):
        return _Note()


def _write_note(part: Path, note: _Note) -> None:
    if note != _read_note(part):
        write_bytes(_note_path(part), json.dumps(asdict(note)).encode(), DATA_ELSEWHERE)
