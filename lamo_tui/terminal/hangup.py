"""A terminal that goes away without a signal, as under nohup or in a container: nobody could leave the dashboard."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable

EXIT = 128 + getattr(signal, "SIGHUP", 1)
"""What a shell shows of a program that the hang-up of its terminal has ended."""


def end_without_terminal(
    last: Callable[[], object], terminal: int = 0, end: Callable[[int], object] = os._exit
) -> threading.Thread:
    """Start a thread that waits until a terminal is gone, given by its descriptor; it calls `last`, then `end` with the
    exit code.

    Without it Textual reads the end of the file again and again, and its writer waits for ever.
    """
    watched = select.poll()
    watched.register(terminal, 0)  # hang-ups are always told

    def wait() -> None:
        while not any(told & (select.POLLHUP | select.POLLERR) for _, told in watched.poll()):
            pass
        try:
            last()
        finally:
            end(EXIT)

    thread = threading.Thread(target=wait, name="terminal", daemon=True)
    thread.start()
    return thread
