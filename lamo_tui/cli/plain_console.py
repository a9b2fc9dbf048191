"""A Rich console for untrusted text: it shows markup and escapes as characters, and interprets neither."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from lamo_core.untrusted.plain_text import plain_text
from lamo_tui.harmless_text import harmless


class PlainConsole(Console):
    """Writes out in strings what a terminal would interpret; in whatever else is printed no cell holds it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as Rich does."""
        super().print(*(plain_text(part) if isinstance(part, str) else part for part in objects), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of what is printed; those of Rich itself, such as moves of the cursor, as they are."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment("\n".join(map(harmless, text.split("\n"))), style)
