"""`lamo benchmark page`: tables of pairs, put between markers."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lamo_core.errors import UsageError
from lamo_tui.benchmarks import page
from lamo_tui.cli.benchmark import app

DOCS = Path(__file__).parents[2] / "docs" / "performance.md"


def test_a_ratio_comes_with_its_spread() -> None:
    plain, own = iter([2.0, 3.0, 8.0]), iter([1.0, 2.0, 2.0])
    found = page.compared(plain.__next__, own.__next__, 3)
    assert (found.plain, found.own) == (3.0, 2.0)
    assert str(found) == "2.00 (1.50 to 4.00)"


def test_every_table_has_its_place_on_the_page() -> None:
    places = re.findall(r"<!-- results:(\S+):start -->\n(.*?)<!-- results:\1:end -->", DOCS.read_text(), flags=re.S)
    assert [name for name, _ in places] == list(page.SECTIONS)
    assert all(text.startswith("| ") for _, text in places), "lamo benchmark page --update docs/performance.md"


def test_tables_are_printed_or_put_between_markers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("before\n<!-- results:growth:start -->\nold\n<!-- results:growth:end -->\nafter\n")
    monkeypatch.setattr(page, "_LINES", 50)
    monkeypatch.setattr(page.time, "sleep", lambda seconds: None)
    monkeypatch.setitem(page.SECTIONS, "growth", partial(page.growth_table, runs=2))
    result = CliRunner().invoke(app, ["page", "--only", "growth", "--rounds", "2", "--update", str(file)])
    assert result.exit_code == 0, result.output
    text = file.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| 2 runs listed |" in text
    assert "| 50 steps drawn |" in text
    assert "old" not in text
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for words in (["page", "--only", "gpu"], ["gpu"]):
        assert CliRunner().invoke(app, words).stdout.splitlines()[0] == "gpu"


def test_an_unknown_table_is_a_sentence() -> None:
    result = CliRunner().invoke(app, ["page", "--only", "stepz"])
    assert isinstance(result.exception, UsageError)
    assert "steps" in str(result.exception)


def test_without_a_card_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    rows = page.gpu_table(1).splitlines()[2:]
    assert rows
    assert all(row.count(page.NOT_MEASURED) == 5 for row in rows)
