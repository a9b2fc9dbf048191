"""An application that looks at the runs folder again and again, in a thread, and cares for the runs that wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work
from textual.worker import get_current_worker

from lamo_core.errors import LamoError
from lamo_core.runs.queue.entry import QUEUE
from lamo_tui.dashboard.messages import StoreFailed, StoreUpdated
from lamo_tui.dashboard.themed_app import Looks
from lamo_tui.keys.bindings import with_keys
from lamo_tui.replay.frame_rate import Rhythm
from lamo_tui.resilience import sentence
from lamo_tui.state.settings import Settings
from lamo_tui.state.snapshot import Snapshot
from lamo_tui.state.store import RunStore
from lamo_tui.state.system import SystemMeter
from lamo_tui.state.view_state import View
from lamo_tui.train_process import wait_for_device

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

    from lamo_tui.terminal.graphics import Graphics

_SERVE_SECONDS = 10.0
"""How often it is made sure that somebody starts the runs that wait."""


class Watching(Looks):
    """Has the newest snapshot of the folder and gives each to `show`."""

    def __init__(
        self,
        root: Path,
        settings: Settings | None,
        view: View | None,
        keep: Callable[[View, Path], None] | None,
        pixels: Graphics | None,
        store: RunStore | None,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(root, settings, view, keep, pixels)
        self.clock = clock
        self.snapshot = Snapshot(root=root)
        self.store = store or RunStore(root, clock=clock, meter=SystemMeter())
        self._wake = threading.Event()
        self._served = -float("inf")

    def show(self, snapshot: Snapshot) -> None:
        """Take in a snapshot."""
        raise NotImplementedError

    def tick(self) -> None:
        """Look at the folder now and show all of it."""
        try:
            snapshot = self.store.poll()
            while snapshot.unread:
                snapshot = self.store.poll()
            self.show(snapshot)
        except Exception as error:  # no message is handled here, which would care for it
            self._handle_exception(error)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Say a sentence, with keys in place of the names of actions; brackets are plain, whatever `markup` says."""
        place = self.current_mode
        message = with_keys(message, self.settings.keymap, place if place in ("runs", "run") else "run")
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=False)

    def wake(self) -> None:
        """Look at the folder soon, not only when it is time."""
        self._wake.set()

    @work(thread=True, exclusive=True, group="store", exit_on_error=False)
    def _poll_store(self) -> None:
        worker, last, rhythm = get_current_worker(), Snapshot(), Rhythm()
        while not worker.is_cancelled:
            try:
                snapshot = self.store.poll()
                # times in words move with the seconds; in between only news are shown
                if int(snapshot.time) != int(last.time) or not snapshot.same_as(last):
                    self.post_message(StoreUpdated(snapshot))
                    last = snapshot
            except Exception as error:  # whatever lies in the folder, the next look may find it mended
                self.post_message(StoreFailed(sentence(error)))
            if not last.complete:
                continue
            self._wake.wait(rhythm.pause(time.process_time(), any(run.derived.active for run in last.runs)))
            self._wake.clear()

    def on_store_updated(self, message: StoreUpdated) -> None:
        """Show what the thread has read; runs that wait need a process that starts them."""
        self.show(message.snapshot)
        waits = any(run.queue is not None and run.queue.owner == QUEUE for run in message.snapshot.runs)
        if waits and time.monotonic() - self._served > _SERVE_SECONDS:
            self._served = time.monotonic()
            self._serve_queue()

    @work(thread=True, exclusive=True, group="queue", exit_on_error=False)
    def _serve_queue(self) -> None:
        try:
            wait_for_device(self.root)
        except LamoError as error:
            self.call_from_thread(self.notify, str(error), severity="warning", timeout=5)

    def on_store_failed(self, message: StoreFailed) -> None:
        """Say so; the next tick tries again."""
        self.notify(f"could not read the runs: {message.reason}; trying again", severity="warning", timeout=5)
