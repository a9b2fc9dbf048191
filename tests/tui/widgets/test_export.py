"""Charts as files."""

from __future__ import annotations

import csv
import io
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from lamo_core.errors import MissingError, UsageError
from lamo_tui.widgets.charts.chart import Chart
from lamo_tui.widgets.charts.chart_export import csv_text, export_chart
from lamo_tui.widgets.charts.series import Reference, Series


def chart() -> Chart:
    made = Chart("return <b>")
    x = np.arange(50.0)
    y = np.where((x > 20) & (x < 24), np.nan, np.sqrt(x))
    made.set_series(
        [
            Series("a & b", x, y, "#56b4e9", raw=y + 1, low=y - 1, high=y + 1, marker="A"),
            Series("dt", x, y * 2, "#e69f00", marker="B"),
        ]
    )
    made.set_references([Reference("data", 3.0, "#8da0f5")])
    return made


def test_csv_holds_every_point() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(chart()))))
    assert len(rows) == 100
    assert rows[1] == {"series": "a & b", "step": "1.0", "value": "1.0", "raw": "2.0", "low": "0.0", "high": "2.0"}
    assert rows[60]["raw"] == ""


def test_svg_is_well_formed_and_names_everything(tmp_path: Path) -> None:
    export_chart(chart(), tmp_path / "chart.svg")
    root = ET.parse(tmp_path / "chart.svg").getroot()
    words = "".join(root.itertext())
    assert all(word in words for word in ("return <b>", "a & b", "dt", "data", "step"))
    names = [child.tag.split("}")[1] for child in root]
    assert names.count("polygon") == 1
    # Each curve is in two pieces around the gap: two lines and one raw line.
    assert sum(child.get("stroke") == "#e69f00" for child in root) == 2


def test_png_is_a_picture(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    export_chart(chart(), tmp_path / "chart.png")
    with image.open(tmp_path / "chart.png") as made:
        assert made.size == (1920, 1080)
        pixels = np.asarray(made.convert("RGB"), np.int64)
    # the reference line is dashed: its colour comes and goes along a row that nothing else of it crosses
    drawn = np.abs(pixels - (0x8D, 0xA0, 0xF5)).sum(2) < 150
    assert 0.3 < drawn.sum(1).max() / 1720 < 0.7


def test_png_without_pillow_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingError, match="pip install"):
        export_chart(chart(), tmp_path / "chart.png")
    assert not (tmp_path / "chart.png").exists()


def test_other_endings_and_empty_charts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.csv, \.svg or \.png"):
        export_chart(chart(), tmp_path / "chart.pdf")
    with pytest.raises(UsageError, match="no data"):
        export_chart(Chart("empty"), tmp_path / "chart.svg")
