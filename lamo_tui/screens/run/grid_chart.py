"""One chart of a grid, and the runs whose numbers one of its curves shows."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from lamo_tui.keys.bindings import bindings_of
from lamo_tui.state.run_series import Plot
from lamo_tui.state.snapshot import RunData
from lamo_tui.widgets.charts.chart import Chart
from lamo_tui.widgets.charts.raster import MarkerMode


class GridChart(Chart, inherit_bindings=False):
    """A chart whose keys come from the table, and which leaves those of all charts to the screen."""

    BINDINGS = bindings_of("chart")

    def __init__(self, plot: Plot) -> None:
        super().__init__(plot.title, id=f"chart-{plot.name}", classes="panel")
        self.kind = plot

    class MarkerChanged(Message):
        """The user wants curves drawn in another way."""

        def __init__(self, marker: MarkerMode) -> None:
            self.marker = marker
            super().__init__()

    def take_marker(self, marker: MarkerMode) -> None:
        """Draw curves with it."""
        self.marker_mode = marker

    def action_marker(self) -> None:
        """Go on to the next kind of marker, for the sake of fonts, so in every chart."""
        super().action_marker()
        self.post_message(self.MarkerChanged(self.marker_mode))


@dataclass(frozen=True)
class Drawn:
    """One curve of each chart: the numbers of a run, or of several seeds whose mean is drawn."""

    runs: tuple[RunData, ...]
    name: str
    number: int
    """Decides colour and letter."""
