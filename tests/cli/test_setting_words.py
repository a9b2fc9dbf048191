"""Settings are taken as `--set name=value`, as `name=value` and as `--name=value`."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from lamo_core.errors import UsageError
from lamo_tui.cli.app import app, run
from lamo_tui.cli.commands import COMMANDS, load
from lamo_tui.cli.setting_words import as_options

TAKING = {"--set", "--preset", "-p", "--note"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("optim.steps=200", "--set optim.steps=200"),
        ("--optim.steps=200", "--set optim.steps=200"),
        ("--optim.steps 200 --json", "--set optim.steps=200 --json"),
        ("--set optim.steps=200", "--set optim.steps=200"),
        ("--preset a.b=c x.y=z", "--preset a.b=c --set x.y=z"),
        ("-p a.b=c", "-p a.b=c"),
        ("--preset=a.b=c", "--preset=a.b=c"),
        ("model.lora_rank=4 eval.targets=[1,2]", "--set model.lora_rank=4 --set eval.targets=[1,2]"),
        ("-- optim.steps=200", "-- optim.steps=200"),
        ("ckpt.pt ./a.b=c hopper:optim.steps=3 seed=3", "ckpt.pt ./a.b=c hopper:optim.steps=3 seed=3"),
        ("--note", "--note"),
        ("--optim.steps", "--set optim.steps="),
    ],
)
def test_spellings(words: str, expected: str) -> None:
    assert list(as_options(words.split(), TAKING)) == expected.split()


@pytest.mark.parametrize("spelling", [["optim.steps=77"], ["--optim.steps=77"], ["--optim.steps", "77"]])
def test_a_command_takes_every_spelling(spelling: list[str]) -> None:
    done = CliRunner().invoke(app, ["presets", "show", "atari-breakout-1pct", *spelling, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["config"]["optim"]["steps"] == 77


@pytest.mark.parametrize("word", ["optim.stepz=3", "--optim.stepz=3"])
def test_a_misspelt_setting_is_named_as_one(word: str) -> None:
    with pytest.raises(UsageError, match=r"no setting 'optim\.stepz'; did you mean 'optim\.steps'"):
        run(["train", "--preset", "atari-breakout-1pct", word])


def test_commands_without_settings_take_such_words_as_they_are() -> None:
    taking = {name for name in COMMANDS if any("--set" in option.opts for option in load(name).params)}
    assert {"train", "sweep"} <= taking
    assert "runs" not in taking
