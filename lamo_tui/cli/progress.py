"""Progress line on stderr: a live one in a terminal, a plain one now and then anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from lamo_core.config import EvalConfig
from lamo_core.runs.log.narration import narrate
from lamo_core.runs.timing.rate import RateMeter
from lamo_core.training.events import Event, StepDone, Stopped
from lamo_tui.cli.output import console
from lamo_tui.format import duration, rate

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

Report = Callable[[str, int, int], None]
"""Takes the name of a stage, how much of it is done, and how much there is in all."""

_LIVE_SECONDS = 0.25
_PLAIN_SECONDS = 10.0
_BAR = 24
"""Columns of the bar where the terminal has room for it."""


class ProgressLine:
    """A listener of training events and of stages such as data preparation; use it in a `with` block.

    It never raises because of its terminal: when that goes away it falls silent, and the work goes on. With
    `narrated` false only steps and stages are shown, for output that somebody else narrates into as well.
    """

    def __init__(
        self,
        evaluation: EvalConfig | None = None,
        *,
        stderr: Console | None = None,
        narrated: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = stderr or console()
        self._narrated = narrated
        self._clock = clock
        self._meter = RateMeter(evaluation)
        self._step: StepDone | None = None
        self._return: float | None = None
        self._stage = ""
        self._shown = -float("inf")
        self._plain = ""
        """The line that was printed last where nothing is live."""
        self._live: Live | None = None
        self._silent = False

    def __enter__(self) -> ProgressLine:
        if self._console.is_terminal:
            from rich.live import Live

            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._quietly(self._live.start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the live line away and give the cursor back; may be called twice."""
        if self._live is not None:
            self._quietly(self._live.stop)
            self._live = None

    def write(self, event: Event) -> None:
        """Show an event: steps move the line, the rest of what matters is printed above it."""
        self._meter.write(event)
        scores = getattr(event, "scores", ())
        if scores:
            self._return = max(score.mean for score in scores)
        if isinstance(event, StepDone):
            self._step, self._stage = event, ""
            self._refresh(self._training(event))
            return
        text = narrate(event)
        if text and self._narrated:
            self._plain = ""
            self._quietly(lambda: self._console.print(text, markup=False))
        if isinstance(event, Stopped):
            self.close()

    def stage(self, name: str, done: int, total: int) -> None:
        """Show how far a stage is, such as the frames of a data set; `total` 0 means unknown."""
        first, self._stage = name != self._stage, name
        ended = 0 < total <= done
        share = f" {done:,}/{total:,}" if total else f" {done:,}" if done else ""
        self._refresh([name + share], done / total if total else None, at_once=first or ended)

    def _training(self, event: StepDone) -> list[str]:
        total = self._meter.total
        step = f"step {event.step:,}/{total:,}" if total else f"step {event.step:,}"
        parts = [step, f"loss {event.loss:.4g}"]
        if event.language_loss is not None:
            parts.append(f"language {event.language_loss:.4g}")
        if self._return is not None:
            parts.append(f"return {self._return:.4g}")
        parts.append(f"{rate(self._meter.rate)} steps/s")
        parts.append(f"{duration(self._meter.eta)} left")
        return parts

    def _refresh(self, parts: list[str], share: float | None = None, *, at_once: bool = False) -> None:
        now = self._clock()
        if not at_once and now - self._shown < (_LIVE_SECONDS if self._live else _PLAIN_SECONDS):
            return
        self._shown = now
        if self._live is None:
            line = "  ".join(parts)
            if line != self._plain:  # what stands there already is no news
                self._plain = line
                self._quietly(lambda: self._console.print(line, markup=False))
            return
        if share is None and self._meter.total and not self._stage:
            share = self._meter.step / self._meter.total
        live, drawn = self._live, _line(parts, share, self._console.width)
        self._quietly(lambda: live.update(drawn, refresh=True))

    def _quietly(self, action: Callable[[], object]) -> None:
        if self._silent:
            return
        try:
            action()
        except (OSError, ValueError):  # a closed stream is a ValueError
            self._silent = True


def _line(parts: list[str], share: float | None, width: int) -> Text:
    """Return the parts on one line, with a bar where there is room; what does not fit is cut."""
    from rich.text import Text

    text = Text("  ".join(parts), no_wrap=True, overflow="ellipsis", end="")
    if share is not None and text.cell_len + _BAR + 8 <= width:
        full = round(_BAR * min(1.0, max(0.0, share)))
        bar = Text(" ")
        bar.append("━" * full, style="green").append("━" * (_BAR - full), style="bright_black")
        bar.append(f" {100 * share:3.0f}%  ")
        text = bar + text
        text.no_wrap, text.overflow = True, "ellipsis"
    return text


@contextmanager
def progress() -> Iterator[Report]:
    """Show stages of long work on stderr: a bar in a terminal, else a line now and then."""
    with ProgressLine() as line:
        yield line.stage
