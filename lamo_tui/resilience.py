"""Errors that no input may turn into the end of the dashboard: what handles messages or draws goes on after each.

Textual ends the application, and before that the part, in which anything raises. Every class of ours that Textual
calls derives from one of these two; the application's own `_handle_exception` says what becomes of an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.visual import Visual, visualize

from lamo_core.untrusted.plain_text import one_line

if TYPE_CHECKING:
    from textual.message_pump import MessagePump
    from textual.widget import Widget
else:
    MessagePump = Widget = object


class Resilient(MessagePump):
    """Handles the next message after one that failed."""

    async def _dispatch_message(self, message: Message) -> None:
        try:
            await super()._dispatch_message(message)
        except Exception as error:
            self.app._handle_exception(error)


class ResilientWidget(Resilient, Widget):
    """Draws a sentence in place of what could not be drawn."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines that are asked for, one of them with the sentence where that fails."""
        try:
            return super().render_lines(crop)
        except Exception as error:
            self.app._handle_exception(error)
            first = Strip(Text(_instead(error), end="").render(self.app.console)).adjust_cell_length(crop.width)
            return [first, *[Strip.blank(crop.width)] * (crop.height - 1)][: crop.height]

    def _render(self) -> Visual:
        try:
            return super()._render()
        except Exception as error:
            self.app._handle_exception(error)
            return visualize(self, Text(_instead(error)), markup=False)


def sentence(error: BaseException) -> str:
    """Return what is said of an error that nobody expected: its kind and the beginning of what it says."""
    said = one_line(error)
    name = type(error).__name__
    return name if said == name else f"{name}: {said}"


def _instead(error: Exception) -> str:
    return f" cannot be shown ({sentence(error)})"
