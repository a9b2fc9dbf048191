"""A real terminal for tests."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path


class Terminal:
    """A real terminal inside tmux, on a server of its own."""

    def __init__(self, folder: Path, columns: int = 110, rows: int = 34) -> None:
        self._socket = str(folder / "tmux.sock")
        self._tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), "env PS1='ready> ' sh")

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-S", self._socket, "-f", "/dev/null", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout

    def type(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def text(self) -> str:
        return self._tmux("capture-pane", "-p")

    def wait_for(self, text: str, seconds: float = 60) -> str:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            shown = self.text()
            if text in shown:
                return shown
            time.sleep(0.2)
        raise AssertionError(f"{text!r} did not appear:\n{self.text()}")

    def alternate(self) -> bool:
        return self._tmux("display-message", "-p", "#{alternate_on}").strip() == "1"

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def close(self) -> None:
        self._tmux("kill-server")
