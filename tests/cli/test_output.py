"""Where results go when they cannot go anywhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
