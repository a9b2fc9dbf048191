"""Reads hostile inputs one after the other in a process that may die, and says what became of each.

An input must be read or refused in one sentence: nothing in it runs, no process crashes, no reader hangs, the memory
stays within a stated bound and nothing is written outside of the trial's folder.
"""

from __future__ import annotations

import mmap
import os
import resource
import shutil
import signal
import struct
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from lamo_core.errors import LamoError
from tests.robustness.canary import EVENT

HANG_SECONDS = 5.0
"""Of the processor; on a machine that is busy with something else the clock on the wall tells nothing."""
_WALL_SECONDS = 60.0
_STATE = struct.Struct("<qd")
_RUNS = {"os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn", "subprocess.Popen", EVENT}
_CALLS_OUT = {"socket.connect", "socket.getaddrinfo"}
HOMES = ("LAMO_CACHE", "LAMO_RUNS", "LAMO_DATA", "LAMO_STATE", "TMPDIR", "HOME", "TORCHINDUCTOR_CACHE_DIR")
"""Places that a trial moves into its folder, where readers may write."""
_WRITES = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.symlink", "os.link", "os.truncate", "os.chmod"}


@dataclass(frozen=True)
class Reader:
    """One door for files from strangers."""

    name: str
    prepare: Callable[[Path], Any]
    """Makes whole inputs in a folder, once, in a process of its own; returns nothing that a fork could not take."""
    write: Callable[[Path, Path, Random], None]
    """Makes one hostile input: from the folder of `prepare`, into an empty folder."""
    read: Callable[[Path], object]
    """Reads what lies in the second folder; a `LamoError` is a refusal."""
    slow: bool = False
    memory: int = 300 << 20
    """Bytes that reading may add to the process at most."""
    refusals: tuple[type[BaseException], ...] = (LamoError,)
    starts: tuple[str, ...] = ()
    """Ends of the programs that the reader starts itself."""


@dataclass
class Outcome:
    """What became of a reader's inputs."""

    inputs: int = 0
    read: int = 0
    refused: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    examples: dict[str, int] = field(default_factory=dict)
    """The number of the first input of each kind of failure, by which it is made again."""

    def fail(self, number: int, kind: str) -> None:
        """Count a failure."""
        self.failures[kind] += 1
        self.examples.setdefault(kind, number)

    def add(self, other: Outcome) -> None:
        """Take over the counts of other inputs."""
        self.inputs, self.read, self.refused = (
            self.inputs + other.inputs, self.read + other.read, self.refused + other.refused
        )  # fmt: skip
        self.failures += other.failures
        self.examples = other.examples | self.examples

    def counts(self, reader: Reader) -> dict[str, Any]:
        """Return what is kept of it."""
        return {
            "inputs": self.inputs,
            "read": self.read,
            "refused": self.refused,
            "failures": dict(self.failures),
            "memory_mib": reader.memory >> 20,
        }


def input_rng(reader: str, seed: int, number: str) -> Random:
    """Return what decides an input, so that each can be made again."""
    return Random(f"{reader} {seed} {number}")


def try_inputs(reader: Reader, folder: Path, numbers: Iterable[int], seed: int) -> Outcome:
    """Let a reader read the inputs of these numbers; processes that fail are replaced."""
    whole, scratch = folder / "whole", folder / "scratch"
    if not whole.exists():
        whole.mkdir(parents=True)
        _in_child(lambda: reader.prepare(whole))
    todo, outcome = list(numbers), Outcome()
    while todo:
        todo = _one_process(reader, whole, scratch, todo, seed, outcome)
    shutil.rmtree(scratch, ignore_errors=True)
    return outcome


def _in_child(work: Callable[[], object]) -> None:
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "whole inputs could not be made"


def _one_process(reader: Reader, whole: Path, scratch: Path, todo: list[int], seed: int, outcome: Outcome) -> list[int]:
    """Read in one process until it fails or nothing is left; returns what is left."""
    shared = mmap.mmap(-1, mmap.PAGESIZE)
    _STATE.pack_into(shared, 0, -1, 0.0)
    report, told = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.close(report)
        try:
            _work(reader, whole, scratch, todo, seed, shared, told)
        finally:
            os._exit(0)
    os.close(told)
    ending = _watch(pid, shared, report, outcome)
    at, _ = _STATE.unpack_from(shared, 0)
    done = todo.index(at) + 1 if at >= 0 else 0
    if ending:
        outcome.inputs += 1
        outcome.fail(at, ending)
    return todo[done:] if ending or at >= 0 else []


def _watch(pid: int, shared: mmap.mmap, report: int, outcome: Outcome) -> str:
    """Take reports until the process ends; returns how it failed with its input, or nothing."""
    buffer = b""
    os.set_blocking(report, False)
    before, ending = (-1, 0.0, 0.0), ""
    while True:
        try:
            block = os.read(report, 1 << 16)
            if block:
                buffer += block
                continue
        except BlockingIOError:
            block = None
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        at, begun = _STATE.unpack_from(shared, 0)
        used = _processor_seconds(pid)
        if (at, begun) != before[:2]:
            before = (at, begun, used)
        elif begun and (used - before[2] > HANG_SECONDS or time.monotonic() - begun > _WALL_SECONDS):
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            ending = "hang"
            break
        time.sleep(0.02)
    while True:
        try:
            block = os.read(report, 1 << 16)
        except BlockingIOError:
            continue
        if not block:
            break
        buffer += block
    os.close(report)
    _count(buffer.decode(), outcome)
    code = os.waitstatus_to_exitcode(status)
    return ending or (f"crash by signal {-code}" if code < 0 else "")


def _count(lines: str, outcome: Outcome) -> None:
    for line in lines.splitlines():
        number, kind = line.split(" ", 1)
        outcome.inputs += 1
        if kind in ("read", "refused"):
            setattr(outcome, kind, getattr(outcome, kind) + 1)
        else:
            outcome.fail(int(number), kind)


def _processor_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


# in the process that may die


def _work(reader: Reader, whole: Path, scratch: Path, todo: list[int], seed: int, shared: mmap.mmap, told: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    obeyed = _listen(reader, scratch)
    for number in todo:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        _write(reader, whole, scratch, seed, number)
        obeyed.clear()
        before = _memory("VmRSS")
        _reset_peak()
        _STATE.pack_into(shared, 0, number, time.monotonic())
        said = _read(reader, scratch)
        grown = _memory("VmHWM") - before
        _STATE.pack_into(shared, 0, number, 0.0)
        if obeyed:
            said = f"obeyed: {obeyed[0]}"
        elif grown > reader.memory and said in ("read", "refused"):
            said = f"memory beyond {reader.memory >> 20} MiB"
        os.write(told, f"{number} {said}\n".encode("utf-8", "backslashreplace"))


def _write(reader: Reader, whole: Path, scratch: Path, seed: int, number: int) -> None:
    """Make an input; where a change cannot be spelled in its format, another one."""
    for attempt in range(20):
        with suppress(Exception):
            reader.write(whole, scratch, input_rng(reader.name, seed, f"{number}.{attempt}"))
            return
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()


def _read(reader: Reader, scratch: Path) -> str:
    try:
        reader.read(scratch)
    except reader.refusals as error:
        text = str(error)
        return "refused" if len(text) < 4_500 and "\n" not in text else "refused in more than a sentence"
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "/lamo_" in frame.filename] or list(frames)
        place = f"{Path(ours[-1].filename).name}:{ours[-1].name}"
        return f"traceback: {type(error).__name__} in {place}"
    return "read"


def _listen(reader: Reader, scratch: Path) -> list[str]:
    """Note from now on what a file must not make this process do."""
    obeyed: list[str] = []
    root = str(scratch.parent)
    allowed = (root, os.devnull, "/proc/self", "/dev/shm", *(os.environ.get(name, root) for name in HOMES))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _RUNS or (event == "os.kill" and arguments[1]):
            program = str(arguments[0]) if arguments else ""
            if not (event == "subprocess.Popen" and program.endswith(reader.starts or ("\0",))):
                obeyed.append(f"{event} {program[:60]}")
                raise PermissionError("the trial lets no file start or end a process")
        elif event in _CALLS_OUT:
            obeyed.append(event)
        elif event in _WRITES or (event == "open" and len(arguments) > 2 and _to_write(arguments[2])):
            place = arguments[0]
            if isinstance(place, str | bytes | os.PathLike):
                path = os.path.abspath(os.fsdecode(place))
                if os.path.isabs(os.fsdecode(place)) and not path.startswith(allowed):
                    obeyed.append(f"{event} {path[:80]}")
                    raise PermissionError("the trial lets no file be written elsewhere")

    sys.addaudithook(hook)
    return obeyed


def _to_write(flags: object) -> bool:
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def _memory(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) << 10
    return 0


def _reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")
