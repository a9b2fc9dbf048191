"""Commands that are killed at random moments, at events of the file system and at byte counts, in forks of one process.

A fork has PyTorch loaded already, so that a training of a few steps takes a second.
"""

from __future__ import annotations

import importlib
import mmap
import os
import resource
import signal
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

_WATCHED = {
    "open",
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
}
_COUNT = struct.Struct("<q")
_LIMIT_SECONDS = 240.0


@dataclass(frozen=True)
class Kill:
    """When a process is to die."""

    kind: Literal["moment", "file event", "byte"]
    at: float
    """Seconds after it began, the number of the event, or the bytes after which a file grows no further."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    """Its exit code; the signal's number below zero where one ended it."""
    seconds: float
    events: int

    @property
    def killed(self) -> bool:
        """Whether it died of the kill that was meant for it."""
        return self.code in (-signal.SIGKILL, -signal.SIGXFSZ)


def run_killed(words: list[str], folder: Path, environment: Mapping[str, str], kill: Kill | None = None) -> Ended:
    """Run a `lamo` command in a fork, in `folder`, and kill it; what it prints is added to `folder`/printed.txt.

    A command that is not to be killed names its modules in `folder`/modules.txt, for `load_modules`.
    """
    shared = mmap.mmap(-1, mmap.PAGESIZE)
    sys.stdout.flush()
    sys.stderr.flush()
    begun = time.monotonic()
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = _child(words, folder, environment, kill, shared)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    patience = kill.at if kill is not None and kill.kind == "moment" else _LIMIT_SECONDS
    status = _wait(pid, begun + patience)
    if status is None:
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    return Ended(os.waitstatus_to_exitcode(status), time.monotonic() - begun, _COUNT.unpack_from(shared)[0])


def _wait(pid: int, until: float) -> int | None:
    while time.monotonic() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.005)
    return None


def _child(words: list[str], folder: Path, environment: Mapping[str, str], kill: Kill | None, shared: mmap.mmap) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    printed = os.open(folder / "printed.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    os.environ.update(environment)
    os.chdir(folder)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _arm(kill, shared)
    sys.argv = ["lamo", *words]
    from lamo_tui.cli.app import main

    code: Any = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    if kill is None:
        (folder / "modules.txt").write_text("\n".join(sys.modules))
    return code if isinstance(code, int) else int(code is not None)


def _arm(kill: Kill | None, shared: mmap.mmap) -> None:
    deadly, count, lock = kill.at if kill is not None and kill.kind == "file event" else None, [0], threading.Lock()

    def happened() -> None:
        with lock:
            count[0] += 1
            _COUNT.pack_into(shared, 0, count[0])
        if count[0] == deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _WATCHED and (event != "open" or _writes(arguments)):
            happened()

    flush: Callable[[int], None] = os.fsync

    def fsync(descriptor: Any) -> None:
        happened()
        flush(descriptor)

    os.fsync = fsync
    sys.addaudithook(hook)
    if kill is not None and kill.kind == "byte":
        # the kernel ends the process in the midst of a write, at this very byte of a file
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(kill.at), resource.RLIM_INFINITY))


def _writes(arguments: tuple[Any, ...]) -> bool:
    flags = arguments[2] if len(arguments) > 2 else 0
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def load_modules(folder: Path) -> None:
    """Load what a command in a folder has loaded, so that the next one need not."""
    for name in (folder / "modules.txt").read_text().splitlines():
        if name.startswith(("lamo_", "torch.", "transformers.", "gymnasium", "mujoco", "ale_py", "h5py", "zstandard")):
            with suppress(Exception):
                importlib.import_module(name)


def draw_kill(whole: Ended, largest: int, rng: Random) -> Kill:
    """Return a kill that will come before a command ends which takes as long as `whole` did.

    `largest` is the size of the largest file that it writes; 0 where others write for it: what stops them does not stop
    it.
    """
    kind = rng.choice(("moment", "file event", "byte") if largest else ("moment", "file event"))
    if kind == "moment":
        return Kill("moment", rng.uniform(0.02, 1.0) * whole.seconds)
    if kind == "file event":
        return Kill("file event", rng.randint(1, max(1, whole.events)))
    return Kill("byte", int(largest ** rng.uniform(0.2, 1.0)))
