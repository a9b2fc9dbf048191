"""The base of our widgets: cells drawn only when something changed and somebody looks."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from lamo_tui.resilience import ResilientWidget
from lamo_tui.widgets.cells import Cells, Paint


def changed_part(old: Strip, new: Strip) -> list[tuple[int, int]]:
    """Return the columns (first, one past the last) in which two lines of one length differ; nothing if they do not."""
    ours, theirs = list(old), list(new)
    if ours == theirs:
        return []
    first = last = 0
    for one, two in zip(ours, theirs, strict=False):
        if one != two:
            break
        first += one.cell_length
    for one, two in zip(reversed(ours), reversed(theirs), strict=False):
        if one != two:
            break
        last += one.cell_length
    return [(first, max(first + 1, new.cell_length - last))]


class Drawn(ResilientWidget, Widget):
    """A widget whose content is one `Cells` of its size; subclasses say what is on it.

    Nothing is drawn before the first line is asked for, so that a hidden widget costs nothing.
    """

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._strips: list[Strip] | None = None
        self._strips_size = (0, 0)
        self._pens: dict[tuple[Paint, Paint | None], Style] = {}
        self._pens_of: tuple[Color, Color] | None = None
        self.draws = 0
        """How often the picture was made anew; for tests and measurements."""

    def picture(self, width: int, height: int) -> Cells:
        """Return what is shown at a size of at least 1 x 1 cells."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Make the picture anew when it is next looked at."""
        self._strips = None
        self.refresh()

    def redraw_changes(self) -> None:
        """Make the picture anew at once and send only what differs; for widgets that change many times a second."""
        width, height = self.size
        if self._strips is None or self._strips_size != (width, height) or not self.is_on_screen:
            self.redraw()
            return
        old, self._strips = self._strips, self._drawn(width, height)
        regions = [
            Region(first, row, last - first, 1)
            for row, (one, two) in enumerate(zip(old, self._strips, strict=True))
            for first, last in changed_part(one, two)
        ]
        if regions:
            self.refresh(*regions)

    def notify_style_update(self) -> None:
        """Take over a new theme."""
        self._strips = None
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        """Return one row of the picture."""
        width, height = self.size
        if self._strips is None or self._strips_size != (width, height):
            self._strips = self._drawn(width, height)
            self._strips_size = (width, height)
        return self._strips[y] if y < len(self._strips) else Strip.blank(width)

    def _drawn(self, width: int, height: int) -> list[Strip]:
        if width < 1 or height < 1:
            return []
        self.draws += 1
        cells = self.picture(width, height)
        background, text = self.background_colors[1], self.colors[3]
        if self._pens_of != (background, text):
            self._pens, self._pens_of = {}, (background, text)
        return [
            Strip([Segment(run, self._pen(ink, paper)) for run, ink, paper in cells.runs(row)], width)
            for row in range(height)
        ]

    def _pen(self, ink: Paint, paper: Paint | None) -> Style:
        pen = self._pens.get((ink, paper))
        if pen is None:
            behind = self.background_colors[1]
            if paper is not None:
                behind = self._mixed(paper, behind)
            colour = self._mixed(ink, behind)
            pen = Style(color=colour.rich_color, bgcolor=behind.rich_color, bold=ink.bold)
            self._pens[ink, paper] = pen
        return pen

    def _mixed(self, paint: Paint, background: Color) -> Color:
        if paint.colour == "text":
            colour = self.colors[3]
        elif paint.colour.startswith("#"):
            colour = Color.parse(paint.colour)
        else:
            colour = Color.parse(self.app.theme_variables[paint.colour])
        return background.blend(colour, paint.strength, 1.0) if paint.strength < 1.0 else colour
