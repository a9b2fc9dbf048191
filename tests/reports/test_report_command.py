"""`lamo report` with several methods: parts, blocks, files, sweeps."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import typer
from typer.testing import CliRunner

from lamo_core.errors import LamoError
from lamo_core.runs.index import list_runs
from lamo_core.sweep.folder import new_folder
from lamo_core.sweep.grid import Grid
from lamo_core.sweep.plan import make_plan, write_plan
from lamo_tui.cli.report.report import report
from tests.reports.conftest import Trained


def lamo(*words: str) -> Any:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(report)
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def study(trained: Trained, root: Path) -> Path:
    """Two methods on two shares of one task, two seeds each; random weights do worse."""
    for preset in ("mujoco-hopper-0.5pct", "mujoco-hopper-1pct"):
        for seed in (0, 1):
            trained(preset, seed, [1000.0 + 100 * seed, 1100.0], earlier={9: 1500.0})
            trained(preset, seed, [400.0 + seed, 500.0], ablations=["no-pretraining"])
    return root


def test_all_parts_are_printed_and_one_can_be_chosen(study: Path) -> None:
    text = lamo().stdout
    assert "Last fifth" in text
    assert "52.0 ± 4.6 (Table 3, other data)" in text
    assert "100 to 100 %" not in text
    # random play is -20.27 and the expert 3234.3, so 1075 is 33.7
    assert "33.7 [" in text
    only = lamo("--part", "improvement").stdout.splitlines()
    assert only[0].split() == ["Method", "against", "Settings", "Chance", "95", "%"]
    assert len(only) == 2
    with pytest.raises(LamoError, match="did you mean 'scores'"):
        lamo("--part", "score")


def test_json_holds_everything_unrounded(study: Path) -> None:
    values = json.loads(lamo("--json").stdout)
    assert len(values["rows"]) == len(values["cells"]) == 4
    assert [row["chance"] for row in values["improvement"]] == [1.0]
    assert [row["method"] for row in values["overall"]] == ["lamo", "lamo +no-pretraining"]
    assert values["cells"][0]["paper"]["table"] == "Table 3"
    assert len(values["profiles"][0]["shares"]) == 101


def test_several_named_blocks_are_filled(study: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- results:start -->\n<!-- results:end -->\nbetween\n<!-- results:few:start -->old<!-- results:few:end -->\n"
        "<!-- results:shares:start -->\n<!-- results:shares:end -->\n"
    )
    lamo("--update", str(page))
    lamo("--update", str(page), "--block", "few", "-f", "ratio=1%")
    lamo("--update", str(page), "--block", "shares", "--part", "ratios")
    text = page.read_text()
    first, few = text.split("<!-- results:")[1], text.split("results:few:start -->")[1]
    shares = text.split("results:shares:start -->")[1]
    assert first.count("| Hopper |") == 4
    assert "Probability of improvement" not in first
    assert "old" not in few
    few = few.split("<!-- results:few:end")[0]
    assert "| Hopper | 1 % |" in few
    assert "| Hopper | 0.5 % |" not in few
    assert "Probability of improvement" in few
    assert "| Hopper | lamo |" in shares
    again = page.read_text()
    lamo("--update", str(page), "--block", "shares", "--part", "ratios")
    assert page.read_text() == again
    with pytest.raises(LamoError, match="results:none:start"):
        lamo("--update", str(page), "--block", "none")


def test_files_hold_every_cell_every_run_and_figures(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    lamo("--out", str(folder))
    with (folder / "cells.csv").open() as file:
        cells = list(csv.DictReader(file))
    with (folder / "runs.csv").open() as file:
        runs = list(csv.DictReader(file))
    assert (len(cells), len(runs)) == (4, 8)
    assert float(cells[0]["paper"]) == 57.0
    assert {run["run"] for run in runs} == {run.id for run in list_runs()}
    ours = [float(run["final"]) for run in runs if run["method"] == "lamo" and run["ratio"] == "0.005"]
    assert float(cells[0]["mean"]) == pytest.approx(sum(ours) / 2)
    text = (folder / "report.md").read_text()
    for name in ("scores", "ratios", "profiles", "improvement"):
        root = ElementTree.fromstring((folder / f"{name}.svg").read_text())
        assert root.tag.endswith("svg")
        assert f"]({name}.svg)" in text
    words = " ".join(
        element.text or "" for element in ElementTree.fromstring((folder / "scores.svg").read_text()).iter()
    )
    assert "Hopper, 0.5 % of the data" in words
    assert "which had other data" in words


def test_pictures_come_with_pillow(study: Path, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    lamo("--out", str(tmp_path / "out"))
    for name in ("scores", "ratios", "profiles", "improvement"):
        with image.open(tmp_path / "out" / f"{name}.png") as picture:
            assert picture.width == 1920
            assert len(set(picture.resize((96, 60)).convert("L").tobytes())) > 5


def test_a_sweep_is_reported_by_its_name(study: Path, trained: Trained) -> None:
    trained("atari-pong-1pct", 0, [1.0])  # no part of the sweep
    grid = Grid((("mujoco-hopper", (0.01,)),), ablations=("none", "no-pretraining"), seeds=(0, 1, 2))
    folder = new_folder("study", ["mujoco-hopper"])
    write_plan(folder, make_plan(folder.name, grid, list_runs()))
    values = json.loads(lamo("--sweep", "last", "--json").stdout)
    assert [(cell["method"], len(cell["seeds"])) for cell in values["cells"]] == [
        ("lamo", 2),
        ("lamo +no-pretraining", 2),
    ]
    with pytest.raises(LamoError, match="not both"):
        lamo("x", "--sweep", "last")


def test_another_baseline_turns_the_chances_round(study: Path) -> None:
    text = lamo("--part", "improvement", "--baseline", "lamo +no-pretraining").stdout
    # every run of one beats every run of the other, so that nothing is left to vary
    assert text.splitlines()[1].split()[-3:] == ["0", "%", "-"]
    with pytest.raises(LamoError, match="did you mean 'lamo'"):
        lamo("--baseline", "lam")


def test_rows_that_look_alike_name_the_setting_that_differs(trained: Trained) -> None:
    for context in (1, 5):
        trained("mujoco-hopper-1pct", 0, [1000.0 + context], model__context=context)
    trained("mujoco-hopper-1pct", 0, [500.0], ablations=["frozen"])
    text = lamo("--part", "results", "--markdown").stdout
    for context in (1, 5):
        assert f"| lamo +context-length-{context} | mini | 0 | 1,00{context}.0" in text
    assert "| lamo +frozen | mini | 0 | 500.0" in text


@pytest.mark.parametrize("returns", [[[-20.0], [-19.5], [-19.4]], [[1.0], [9.0], [20.0]], [[-20.27], [-20.27]]])
def test_headers_of_profiles_are_all_different(trained: Trained, returns: list[list[float]]) -> None:
    for seed, values in enumerate(returns):
        for names in ([], ["frozen"]):
            trained("atari-pong-1pct", seed, values, ablations=names)
    head = lamo("--part", "profiles", "--markdown").stdout.splitlines()[0]
    names = [name.strip() for name in head.split("|") if "above" in name]
    assert names
    assert len(set(names)) == len(names)
