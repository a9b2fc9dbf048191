"""Words on the screen as they are: brackets in a name or a message are never markup that styles or links."""

from __future__ import annotations

from textual import widgets
from textual.content import Content
from textual.visual import VisualType
from textual.widget import Widget

from lamo_tui.resilience import ResilientWidget


class Static(ResilientWidget, widgets.Static):
    """Textual's `Static` that takes no markup; what is to be styled comes as a `Text`."""

    def __init__(
        self, content: VisualType = "", *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(content, name=name, id=id, classes=classes, markup=False)


def entitle(widget: Widget, title: str) -> None:
    """Name a panel, in its upper edge; one that has the name already is not drawn again."""
    if widget.border_title != Content(title).markup:
        widget.border_title = Content(title)


def subtitle(widget: Widget, words: str) -> None:
    """Write into a panel's lower edge; where it says so already nothing is drawn again."""
    if widget.border_subtitle != Content(words).markup:
        widget.border_subtitle = Content(words)
