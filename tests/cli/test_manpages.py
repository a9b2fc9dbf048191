"""Manual pages, made from the commands, and the ways to call them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lamo_core import __version__
from lamo_core.errors import StorageError
from lamo_tui.cli.commands import COMMANDS
from lamo_tui.cli.manpages import pages, write_pages

PAGES = dict(pages())


def section(page: str, heading: str) -> str:
    found = re.search(rf"^\.SH {heading}\n(.*?)(?=^\.SH |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found is not None, heading
    return found[1].replace("\\-", "-")


def test_every_command_has_a_page_and_so_has_every_part() -> None:
    assert {"lamo", *(f"lamo-{name}" for name in COMMANDS)} <= set(PAGES)
    assert {"lamo-runs-show", "lamo-data-get", "lamo-presets-show", "lamo-lm-import"} <= set(PAGES)
    for name, entry in COMMANDS.items():
        assert section(PAGES[f"lamo-{name}"], "NAME").strip() == f"lamo-{name} - {entry.line}"
        assert f".B {name}\n{entry.line}" in section(PAGES["lamo"], "COMMANDS")


def test_pages_hold_options_examples_exit_codes_and_places() -> None:
    options = section(PAGES["lamo-train"], "OPTIONS")
    assert ".TP\n.B -p, --preset NAME\nWhat to train; see `lamo presets`.\n" in options
    assert "adopt" not in options, "hidden"
    assert "lamo train --preset atari-breakout-1pct\n" in section(PAGES["lamo-train"], "EXAMPLES")
    assert "75 stopped, checkpoint saved, resumable" in section(PAGES["lamo"], "EXIT CODES").splitlines()
    assert "LAMO_RUNS" in section(PAGES["lamo"], "ENVIRONMENT")
    assert section(PAGES["lamo-runs-show"], "SEE ALSO") == ".BR lamo-runs (1)\n"
    assert all(page.startswith(".TH ") and __version__ in page for page in PAGES.values())


@pytest.mark.parametrize("name", PAGES)
def test_nothing_in_a_page_is_taken_for_a_request(name: str) -> None:
    known = {".TH", ".SH", ".TP", ".PP", ".B", ".BR", ".nf", ".fi"}
    for line in PAGES[name].splitlines():
        assert line, "an empty line would be one of the page"
        assert line[0] not in ".'" or line.split(" ")[0] in known, line
    if groff := shutil.which("groff"):
        done = subprocess.run(
            [groff, "-k", "-man", "-ww", "-z", "-Tutf8"], input=PAGES[name], capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_the_command_writes_them(tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True)

    done = run("lamo_tui.cli.manpages", str(tmp_path / "man"))
    assert (done.returncode, done.stderr) == (0, "")
    written = {path.name: path.read_text() for path in (tmp_path / "man").iterdir()}
    assert written == {f"{name}.1": text for name, text in PAGES.items()}
    assert sorted(done.stdout.split()) == sorted(str(tmp_path / "man" / name) for name in written)
    refused = run("lamo_tui.cli.manpages")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "name the folder" in refused.stderr


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "man").write_text("a file")
    with pytest.raises(StorageError, match=r"could not write .*man: .*; choose another folder"):
        write_pages(tmp_path / "man")


def test_the_package_is_the_command() -> None:
    for words, output in ((["--version"], f"lamo {__version__}\n"), (["runs", "--help"], "Usage: lamo runs ")):
        done = subprocess.run([sys.executable, "-m", "lamo_tui", *words], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(output)
    failed = subprocess.run([sys.executable, "-m", "lamo_tui", "trian"], capture_output=True, text=True)
    assert failed.returncode == 2
    assert "did you mean 'train'" in failed.stderr
