"""What signals mean to a run: the first asks it to stop in order, the second makes it leave at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from lamo_core.runs.control import Interrupts
from lamo_core.system_parts import handled_signals

INTERRUPTED = 130
"""Exit code of a run that left at once."""


@contextmanager
def catch_signals(
    interrupts: Interrupts,
    *,
    announce: Callable[[str], None],
    leave: Callable[[], None],
    detached: bool = False,
) -> Iterator[Interrupts]:
    """Handle signals within the block; the former handlers come back after it. Only for the main thread.

    The first SIGINT, SIGTERM or SIGHUP (the terminal was closed) sets `interrupts.stop` and calls `announce`
    with the signal's name. A second one calls `leave`, to put terminal and files in order, and ends the
    process with code 130 without waiting for anything. SIGUSR1 sets `interrupts.checkpoint`. A detached run,
    and one started under `nohup`, ignores SIGHUP.
    """
    owner = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a forked helper of the run: the run itself gets the signal too
            os._exit(INTERRUPTED)
        if interrupts.stop is not None:
            with suppress(Exception):
                leave()
            os._exit(INTERRUPTED)
        interrupts.stop = signal.Signals(number).name
        with suppress(OSError, RuntimeError):  # the terminal may be gone, or in the middle of another line
            announce(interrupts.stop)

    def checkpoint(number: int, frame: FrameType | None) -> None:
        interrupts.checkpoint = True

    handlers: dict[signal.Signals, Any] = dict.fromkeys(handled_signals("SIGINT", "SIGTERM", "SIGBREAK"), stop)
    handlers |= dict.fromkeys(handled_signals("SIGUSR1"), checkpoint)
    for hangup in handled_signals("SIGHUP"):
        ignored = detached or signal.getsignal(hangup) is signal.SIG_IGN
        handlers[hangup] = signal.SIG_IGN if ignored else stop
    former = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield interrupts
    finally:
        for number, handler in former.items():
            # None stands for a handler that was not set from Python and cannot be put back
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
