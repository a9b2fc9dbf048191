"""Whether the terminal draws real pixels: asked once before the dashboard starts, and believed only when it is sure.

The way is Kitty's graphics protocol with Unicode placeholders, which only kitty and Ghostty draw. Elsewhere nothing is
sent, not even a question. Inside tmux the answer comes from tmux: pictures then pass through it.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lamo_core.errors import UsageError

CHOICES = ("auto", "kitty", "blocks")

_TERMS = ("xterm-kitty", "xterm-ghostty")
_QUESTION = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[>q\x1b[16t\x1b[c"
"""Can you draw pixels, who are you, how large is a cell; and last what every terminal answers, so that none is waited
for in vain."""
_PATIENCE = 1.0


@dataclass(frozen=True)
class Graphics:
    """A terminal that draws pixels."""

    cell: tuple[int, int] = (10, 20)
    """Width and height of a cell in pixels."""
    tmux: bool = False

    def wrapped(self, sequence: str) -> str:
        """Return an escape sequence so that it reaches the terminal."""
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\" if self.tmux else sequence


def choose_graphics(choice: str) -> Graphics | None:
    """Return what is drawn with: pixels by `kitty`, half blocks by `blocks`, and `auto` finds out."""
    if choice not in CHOICES:
        raise UsageError(f"--pixels wants one of {', '.join(CHOICES)}, not {choice!r}")
    if choice == "blocks":
        return None
    found = find_graphics(os.environ, ask_terminal, ask_tmux)
    return found if found is not None or choice == "auto" else Graphics(tmux="TMUX" in os.environ)


def find_graphics(
    environ: Mapping[str, str], ask: Callable[[str], str], tmux: Callable[[], tuple[str, str]]
) -> Graphics | None:
    """Return how pixels are drawn, or None; `ask` puts a question to the terminal, `tmux` returns its passthrough
    setting and the terminal that it runs in."""
    if environ.get("TMUX"):
        passthrough, term = tmux()
        return Graphics(tmux=True) if passthrough in ("on", "all") and term in _TERMS else None
    hinted = environ.get("TERM") in _TERMS or environ.get("KITTY_WINDOW_ID") or environ.get("GHOSTTY_RESOURCES_DIR")
    if not hinted or environ.get("STY"):  # screen passes nothing through
        return None
    answer = ask(_QUESTION)
    name = re.search(r"\x1bP>\|([^\x1b]*)\x1b\\", answer)
    draws = re.search(r"\x1b_Gi=31;OK\x1b\\", answer)
    if draws is None or name is None or not name[1].lower().startswith(("kitty", "ghostty")):
        return None
    cell = re.search(r"\x1b\[6;(\d+);(\d+)t", answer)
    return Graphics(cell=(int(cell[2]), int(cell[1]))) if cell and int(cell[1]) and int(cell[2]) else Graphics()


def ask_terminal(question: str) -> str:
    """Put a question to the terminal and return everything up to its answer to the last part, at most a second."""
    try:
        import termios
        import tty
    except ImportError:  # Windows, whose terminals are not asked
        return ""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return ""
    source = sys.stdin.fileno()
    before = termios.tcgetattr(source)
    answer = b""
    try:
        tty.setraw(source)
        os.write(sys.stdout.fileno(), question.encode())
        end = time.monotonic() + _PATIENCE
        while not re.search(rb"\x1b\[\?[\d;]*c", answer):
            ready, _, _ = select.select([source], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                break
            answer += os.read(source, 4096)
    finally:
        termios.tcsetattr(source, termios.TCSADRAIN, before)
    return answer.decode(errors="replace")


def ask_tmux() -> tuple[str, str]:
    """Return tmux's passthrough setting and the name of the terminal that it runs in."""
    question = ["tmux", "display-message", "-p", "#{allow-passthrough} #{client_termname}"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        words = subprocess.run(question, capture_output=True, text=True, timeout=2).stdout.split()
        if len(words) == 2:
            return words[0], words[1]
    return "", ""
