"""The list of commands: whole at 80 columns, true, and no slower than it must be."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.testing import CliRunner

from lamo_tui.cli.app import app
from lamo_tui.cli.commands import COMMANDS, load

COLUMNS = 80


def every_command() -> Iterator[str]:
    """Yield the words of all commands, such as `runs list`."""
    for name in COMMANDS:
        command = load(name)
        yield name
        yield from (f"{name} {part}" for part in getattr(command, "commands", {}))


def examples_of(words: str) -> list[str]:
    """Return the lines under `Examples:` that end a command's help."""
    done = CliRunner().invoke(app, [*words.split(), "--help"], env={"COLUMNS": str(COLUMNS)})
    return [line.removeprefix("    ") for line in done.output.rstrip().rpartition("Examples:\n")[2].splitlines()]


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


@pytest.mark.parametrize("words", list(every_command()))
def test_help_ends_with_examples_to_copy_whose_options_are_there(words: str) -> None:
    examples = examples_of(words)
    assert len(examples) >= 2
    assert any(example.startswith(f"lamo {words.split()[0]}") for example in examples)
    for example in " && ".join(examples).split(" && "):
        program, name, *rest = shlex.split(example)
        assert program == "lamo"
        command = load(name)
        part = getattr(command, "commands", {}).get(rest[0]) if rest else None
        if name == "runs" and part is None:
            part = getattr(command, "commands", {})["list"]  # words that name no command are its filters
        known = {text for one in (command, part) if one for option in one.params for text in option.opts}
        assert {text for text in rest if text.startswith("--")} <= known, example


@pytest.mark.parametrize("words", list(every_command()))
def test_help_says_what_an_option_wants_in_words(words: str) -> None:
    done = CliRunner().invoke(app, [*words.split(), "--help"], env={"COLUMNS": str(COLUMNS)})
    for kind in ("<str", "<int", "<float", "<path", "<file", "<list", "{name}", "[text]"):
        assert kind not in done.output
    if "--json" in done.output and words != "replay":
        assert "Print one JSON object on stdout." in done.output


def test_the_list_loads_no_command() -> None:
    code = (
        "import sys; sys.argv = ['lamo', '--help']; import lamo_tui.cli.app as a\n"
        "try: a.main()\n"
        "except SystemExit: pass\n"
        "print(*sorted(m for m in sys.modules if m.startswith(('lamo_core.', 'lamo_tui.cli.'))), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {line for line in done.stdout.splitlines() if line.startswith(("lamo_core.", "lamo_tui.cli."))}
    light = {"errors", "out_of_memory", "untrusted", "untrusted.plain_text", "version"}
    own = {"lamo_tui.cli.app", "lamo_tui.cli.commands", "lamo_tui.cli.setting_words"}
    assert loaded == {f"lamo_core.{name}" for name in light} | own


def test_a_misspelt_command_is_guessed() -> None:
    done = CliRunner().invoke(app, ["trian"])
    assert done.exit_code == 2
    assert "'train'" in done.output


def completed(words: str, folder: Path) -> list[str]:
    """Return what Tab offers after the words."""
    last = len(words.split(" ")) - 1
    asked = {"_LAMO_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(last)}
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv[0] = 'lamo'; from lamo_tui.cli.app import main; main()"],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **asked, "LAMO_RUNS": str(folder / "runs")},
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("lamo re", {"replay", "resume", "report"}),
        ("lamo train --preset mujoco-reacher2d-1", {"mujoco-reacher2d-100pct", "mujoco-reacher2d-10pct"}),
        ("lamo presets show mujoco-hopper-3", {"mujoco-hopper-3pct"}),
        ("lamo train -m td", {"td3+bc"}),
        ("lamo presets show atari-pong --ablation early", {"early-stopped"}),
        ("lamo train --set optim.ba", {"optim.batch_size="}),
        ("lamo runs show 2026", {"20260102-a", "20260101-b"}),
        ("lamo eval la", {"last"}),
        ("lamo eval mi", {"mine.pt"}),
        ("lamo data show hop", {"hopper-medium"}),
        ("lamo lm show mini-e", {"mini-early"}),
    ],
)
def test_completion_knows_commands_and_what_is_here(words: str, offered: set[str], tmp_path: Path) -> None:
    for run in ("20260101-b", "20260102-a"):
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / "run.json").write_text("{}")
    (tmp_path / "mine.pt").touch()
    assert set(completed(words, tmp_path)) == offered
