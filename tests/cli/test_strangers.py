"""What commands print and write of a stranger's run: nothing in it is obeyed by a terminal, a page or a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lamo_core.untrusted.plain_text import is_plain
from lamo_tui.cli.plain_console import PlainConsole
from lamo_tui.cli.report.report_table import Table
from lamo_tui.csv_text import csv_text
from lamo_tui.figures.drawing import Sheet, Word, svg_text
from tests.hostile import HOSTILE, MARKUP, WORD, poison_run
from tests.tui.made_runs import make_run

RUN = "20261121-014402-atari-breakout-1pct-s0-k3f9"
COMMANDS = (
    ["runs"], ["runs", "--json"], ["runs", "show", RUN], ["runs", "show", RUN, "--json"], ["runs", "log", RUN],
    ["runs", "log", RUN, "--json"], ["runs", "diff", RUN, "other"], ["report"], ["report", "--markdown"],
    ["report", "--json"], ["matrix"], ["queue"], ["sweep", "status"], ["stop", RUN], ["tui", "--once"],
    ["tui", "--once", "--screen", "run"], ["runs", "show", HOSTILE.replace("\x00", "").replace("\ud83d", "")],
)  # fmt: skip


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two runs in whose files every text is hostile."""
    root = tmp_path_factory.mktemp("strange")
    for run_id in (RUN, "20261120-014402-other-s1-aa11"):
        poison_run(make_run(root, run_id, steps=300, ending="finished"))
    return root


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: ascii(" ".join(words))[:30])
def test_what_a_command_prints_is_obeyed_by_no_terminal(strange: Path, tmp_path: Path, words: list[str]) -> None:
    environment = {**os.environ, "LAMO_RUNS": str(strange), "LAMO_CACHE": str(tmp_path), "LAMO_STATE": str(tmp_path)}
    command = [sys.executable, "-m", "lamo_tui.cli.app", *words]
    done = subprocess.run(command, capture_output=True, env=environment, timeout=120)
    for printed in (done.stdout.decode(), done.stderr.decode()):
        assert all(map(is_plain, printed.split("\n"))), ascii(printed)
        assert "Traceback" not in printed
    assert done.returncode in (0, 1, 2)


def test_tables_and_prose_hold_neither_escapes_nor_links(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.text import Text

    console = PlainConsole(width=400, force_terminal=True, file=sys.stdout)
    console.print(HOSTILE)
    console.print(Text(HOSTILE))
    printed = capsys.readouterr().out
    assert printed.count(WORD) == 2
    assert "[@click=app.bell]" in printed
    assert all(map(is_plain, printed.rstrip("\n").split("\n")))


def test_markdown_of_strange_names_is_no_column_tag_link_or_code() -> None:
    names = ["[x](http://evil.example)", "<img src=x>`code`", "<!-- results:end -->\n|"]
    text = Table(("a|b",), [[name] for name in names], "").markdown()
    rows = text.strip().split("\n")
    assert rows[2] == "| [x]\\(http://evil.example) |"
    assert rows[3] == "| \\<img src=x>\\`code\\` |"
    assert rows[0] == "| a\\|b |"
    assert rows[4] == "| \\<!-- results:end -->\\\\x0a\\| |"


def test_csv_of_strange_names_is_computed_by_no_spreadsheet() -> None:
    names = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", HOSTILE, "-1.5", "-", "nan", "plain"]
    rows = list(csv.reader(io.StringIO(csv_text(["name"], [[name] for name in names]))))[1:]
    assert [row[0] for row in rows[:4]] == [f"'{name}" for name in names[:4]]
    assert is_plain(rows[4][0])
    assert [row[0] for row in rows[5:]] == names[5:]
    numbers = csv_text(["x"], [[-1.5], [None], [float("nan")]])
    assert list(csv.reader(io.StringIO(numbers))) == [["x"], ["-1.5"], [""], [""]]


def test_pictures_of_strange_names_are_whole_xml() -> None:
    sheet = Sheet(200, 100, title=HOSTILE)
    sheet.shapes.append(Word(1, 1, HOSTILE + "</text><script>1</script>\ufffe"))
    root = ElementTree.fromstring(svg_text(sheet))
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    assert all(is_plain(text) for text in root.itertext() if text.strip())
    assert MARKUP in "".join(root.itertext())


def test_a_setting_takes_no_text_that_does_not_print(strange: Path) -> None:
    from lamo_core.config import RunConfig
    from lamo_core.errors import UsageError

    values = json.loads((strange / RUN / "run.json").read_bytes())["config"]
    values = {"model": {"backbone": values["model"]["backbone"]}}
    with pytest.raises(UsageError, match=r"model\.backbone holds a character that does not print") as raised:
        RunConfig.from_dict(values)
    assert is_plain(str(raised.value))
