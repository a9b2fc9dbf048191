"""A screen of one run whose keys change how its charts are drawn, and write them into files."""

from __future__ import annotations

from pathlib import Path

from lamo_core.errors import MissingError, UsageError
from lamo_core.files import write_bytes
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.metrics.series import read_metrics
from lamo_tui.screens.prompts import AskingScreen
from lamo_tui.screens.run.chart_grid import ChartGrid
from lamo_tui.state import run_series
from lamo_tui.state.snapshot import RunData
from lamo_tui.widgets.charts.chart_export import export_chart
from lamo_tui.widgets.charts.chart_picture import ChartPicture


class ChartedScreen(AskingScreen):
    """Has the actions; subclasses say which run's charts these are."""

    @property
    def grid(self) -> ChartGrid:
        """The charts."""
        return self.query_one(ChartGrid)

    def data(self) -> RunData | None:
        """Return what was read of the run."""
        raise NotImplementedError

    def on_chart_grid_changed(self, message: ChartGrid.Changed) -> None:
        """Remember how the charts are drawn."""
        self.lamo.remember(**self.grid.looks())

    def action_maximise(self) -> None:
        """Show the chosen chart alone, or all."""
        self.grid.toggle_maximised()

    def action_smooth(self, by: int) -> None:
        """Smooth more, less, or not at all."""
        self.grid.smooth(by)
        self.show_snapshot(self.lamo.snapshot)

    def action_x_axis(self) -> None:
        """Take the next x axis."""
        self.grid.next_axis()
        self.show_snapshot(self.lamo.snapshot)

    def action_log_y(self) -> None:
        """Switch the y axis of the chosen chart."""
        self.lamo.try_to(self.grid.toggle_log_y)

    def action_log_x(self) -> None:
        """Switch the x axes of all charts."""
        self.lamo.try_to(self.grid.toggle_log_x)

    def action_follow(self) -> None:
        """Keep the newest point in view, or not."""
        self.grid.toggle_follow()
        self.show_snapshot(self.lamo.snapshot)

    def action_export(self) -> None:
        """Write all numbers as CSV and the chosen chart as SVG and PNG into the working folder."""
        self.lamo.try_to(self._export)

    def _export(self) -> str:
        data = self.data()
        if data is None:
            raise UsageError("there is nothing to write yet")
        chart, recorded = self.grid.chosen, data.series
        if data.thinned:  # a table holds all
            recorded = read_metrics(RunDirectory(self.lamo.root / data.id).metrics_file)
        return write_chart(chart, f"{data.id}-{chart.kind.name}", run_series.to_csv(recorded), data.id)


def write_chart(chart: ChartPicture, name: str, numbers: str, table_name: str) -> str:
    """Write a chart as `name`.svg and .png, and numbers as `table_name`.csv, into the working folder.

    Returns a sentence about it; raises `UsageError` for an empty chart, `StorageError`.
    """
    folder = Path.cwd()
    table, picture = folder / f"{table_name}.csv", folder / f"{name}.svg"
    write_bytes(table, numbers.encode(), "cd FOLDER before lamo tui")
    export_chart(chart, picture)
    try:
        export_chart(chart, picture.with_suffix(".png"))
    except MissingError as error:
        return f"wrote {table.name} and {picture.name} into {folder}; no PNG: {error}"
    return f"wrote {table.name}, {picture.name} and the same as PNG into {folder}"
