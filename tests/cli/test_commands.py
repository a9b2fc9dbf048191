"""The list of commands: whole at 80 columns, true, and no slower than it must be."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from typer.core import TyperGroup
from typer.testing import CliRunner

from lamo_tui.cli.app import app
from lamo_tui.cli.commands import COMMANDS, load

COLUMNS = 80


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_list_is_there_and_says_what_it_does(name: str) -> None:
    done = CliRunner().invoke(app, [name, "--help"])
    assert done.exit_code == 0
    assert f"lamo {name}" in done.output
    assert load(name).help


@pytest.mark.parametrize("name", ["", *(name for name in COMMANDS if isinstance(load(name), TyperGroup))])
def test_no_line_of_a_list_is_cut_or_wrapped(name: str) -> None:
    done = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": str(COLUMNS)})
    lists = done.output.split("\nOptions:")[1].split("\n\n", 1)[1].split("Exit codes:")[0].split("Examples:")[0]
    for line in lists.splitlines():
        assert not line.endswith("...")
        assert not line.startswith("   "), f"the line before this one is too long: {line}"


def test_the_list_loads_no_command() -> None:
    code = (
        "import sys; sys.argv = ['lamo', '--help']; import lamo_tui.cli.app as a\n"
        "try: a.main()\n"
        "except SystemExit: pass\n"
        "print(*sorted(m for m in sys.modules if m.startswith(('lamo_core.', 'lamo_tui.cli.'))), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {line for line in done.stdout.splitlines() if line.startswith(("lamo_core.", "lamo_tui.cli."))}
    assert loaded == {"lamo_core.errors", "lamo_core.plain_text", "lamo_tui.cli.app", "lamo_tui.cli.commands"}


def test_a_misspelt_command_is_guessed() -> None:
    done = CliRunner().invoke(app, ["trian"])
    assert done.exit_code == 2
    assert "'train'" in done.output


def test_completion_knows_the_commands() -> None:
    words = {"_LAMO_COMPLETE": "complete_bash", "COMP_WORDS": "lamo re", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv[0] = 'lamo'; from lamo_tui.cli.app import main; main()"],
        capture_output=True,
        text=True,
        env={**os.environ, **words},
    )
    assert {"replay", "resume", "report"} == set(done.stdout.split())
