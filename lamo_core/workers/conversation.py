"""Conversations with a worker process: commands to it at any time, and its messages heard in a thread."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import Any

from lamo_core.workers.messages import Header, ProtocolError, read_message, write_message
from lamo_core.workers.process import start_python

Hear = Callable[[Header, bytes], None]
"""Gets every message, in the reading thread; `{"kind": "gone", "text": …}` is the last one."""

_PATIENCE = 2.0
"""Seconds that the process has to end by itself."""


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
        self._process = start_python(
            module,
            errors=self._errors,
            own_session=True,  # keys such as Ctrl-C are for whoever started it
            OMP_WAIT_POLICY=os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
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
