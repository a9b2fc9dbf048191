"""Where results go when they cannot go anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lamo_tui.state.settings import load_settings
from lamo_tui.terminal.ascii_fallback import ERRORS, can_draw

LAMO = [sys.executable, "-m", "lamo_tui.cli.app"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("words", [["presets"], ["presets", "--json"], ["--version"]])
def test_a_full_disk_behind_the_output_is_one_sentence(words: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*LAMO, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 7
    assert done.stderr.splitlines() == [
        "lamo: could not use the output: No space left on device; free space, or choose another place"
    ]


def test_a_reader_that_goes_away_is_no_error() -> None:
    with subprocess.Popen([*LAMO, "presets"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_reader_that_goes_away_amid_the_output_is_no_error() -> None:
    script = "set -o pipefail; " + " ".join(LAMO) + " presets | true"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(closed: str, tmp_path: Path) -> None:
    environment = {**os.environ, "LAMO_RUNS": str(tmp_path)}
    for words, code in (("runs demo", 0), ("runs", 0), ("runs rm last", 2)):
        script = f"{' '.join(LAMO)} {words} {closed}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, env=environment)
        assert done.returncode == code, (words, done.stderr)
        assert "Traceback" not in done.stderr


def test_a_locale_without_our_letters_gets_others() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*LAMO, "--help"], capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0
    assert "Exit codes: 0 done" in done.stdout


def test_what_is_drawn_becomes_ascii_where_the_locale_has_no_more() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    words = [*LAMO, "data", "show", "hopper-medium"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=environment)
    assert done.stdout.startswith("hopper-medium | mujoco-hopper")
    assert "|####" in done.stdout
    assert "\\" not in done.stdout


def test_letters_of_names_are_written_out_not_replaced() -> None:
    assert "runs/übung · ⣿ ⠀▁█…".encode("ascii", ERRORS) == rb"runs/\xfcbung | #  .#~"
    assert "×".encode("latin-1", ERRORS) == b"\xd7"  # what an encoding has stays


@pytest.mark.parametrize(("encoding", "drawn"), [("utf-8", True), ("ascii", False), ("latin-1", False), ("?", False)])
def test_whether_a_stream_can_show_drawings_is_known(encoding: str, drawn: bool) -> None:
    stream = SimpleNamespace(encoding=encoding)
    assert can_draw(stream) is drawn
    assert load_settings(Path("no such file"), draws=can_draw(stream)).ascii is not drawn
