"""The dashboard's side of the player: starts its process, sends commands, and hears its messages in a thread."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from lamo_core.player.protocol import Header, ProtocolError, read_message, write_message

Hear = Callable[[Header, bytes], None]
"""Gets every message, in the reading thread; `{"kind": "gone", "text": …}` is the last one."""

_PATIENCE = 2.0
"""Seconds that the process has to end by itself."""


class Link(Protocol):
    """A player to talk to."""

    def send(self, do: str, **values: Any) -> None:
        """Give a command."""

    def close(self) -> None:
        """End it."""


class WorkerProcess:
    """Python running a module in a process of its own; that ends when this object is closed or this process ends,
    however it does.

    `module` is the module and its arguments; `name` and `way_out` are words for saying that it has ended.
    """

    def __init__(self, hear: Hear, module: Sequence[str], name: str, way_out: str) -> None:
        self._hear = hear
        self._name, self._way_out = name, way_out
        self._closing = False
        # what libraries print must not reach the screen; the end of it explains a crash
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", *module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # keys such as Ctrl-C are for the dashboard
            env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},
        )
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def send(self, do: str, **values: Any) -> None:
        """Give a command; what one that has gone is told is lost, and it was said that it is gone."""
        assert self._process.stdin is not None
        with self._lock, contextlib.suppress(OSError, ValueError):
            write_message(self._process.stdin, {"do": do, **values})

    def close(self) -> None:
        """End it."""
        self._closing = True
        assert self._process.stdin is not None
        with self._lock, contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        while True:
            try:
                message = read_message(self._process.stdout)
            except (ProtocolError, OSError, ValueError):
                message = None
            if message is None:
                break
            self._hear(*message)
        if not self._closing:
            self._process.wait()
            text = f"{self._name} has ended{self._last_words()}; {self._way_out}"
            self._hear({"kind": "gone", "text": text}, b"")

    def _last_words(self) -> str:
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - 2000))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f" ({lines[-1][:200]})" if lines else ""


class PlayerProcess(WorkerProcess):
    """A player in a process of its own."""

    def __init__(self, hear: Hear, *, device: str = "cpu", root: Path | None = None) -> None:
        runs = [] if root is None else ["--runs", str(root)]
        super().__init__(
            hear, ["lamo_core.player", "--device", device, *runs], "the player", "<replay.play> starts it again"
        )
