"""The dashboard's side of the player: starts its process, sends commands, and hears its messages in a thread."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
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


class PlayerProcess:
    """A player in a process of its own; it ends when this object is closed or this process ends, however it does."""

    def __init__(self, hear: Hear, *, device: str = "cpu", root: Path | None = None) -> None:
        self._hear = hear
        self._closing = False
        # what libraries print must not reach the screen; the end of it explains a crash
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the process
        command = [sys.executable, "-m", "lamo_core.player", "--device", device]
        if root is not None:
            command += ["--runs", str(root)]
        self._process = subprocess.Popen(
            command,
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
        """The player's process id."""
        return self._process.pid

    def send(self, do: str, **values: Any) -> None:
        """Give a command; what a player that has gone is told is lost, and it was said that it is gone."""
        assert self._process.stdin is not None
        with self._lock, contextlib.suppress(OSError, ValueError):
            write_message(self._process.stdin, {"do": do, **values})

    def close(self) -> None:
        """End the player."""
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
            text = f"the player has ended{self._last_words()}; space starts it again"
            self._hear({"kind": "gone", "text": text}, b"")

    def _last_words(self) -> str:
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - 2000))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f" ({lines[-1][:200]})" if lines else ""
