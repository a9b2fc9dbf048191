"""The table of commands, and the group that loads a command's module only when that command is called."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from lamo_tui.cli.setting_words import accept_settings

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter


@dataclass(frozen=True)
class Entry:
    """Where a command is, and what the list of commands says of it in at most 64 characters."""

    module: str
    """In this package. Its `app` is a group of commands; otherwise a function bears the command's name."""
    line: str


SECTIONS: dict[str, dict[str, Entry]] = {
    "Train": {
        "train": Entry("train.train", "Train a policy; Ctrl-C saves a checkpoint and stops"),
        "sweep": Entry("sweep.sweep", "Train a grid of tasks, ratios, methods, ablations and seeds"),
        "queue": Entry("runs.queue", "Show the runs that wait for a device"),
        "stop": Entry("runs.runs", "Stop a run; it saves a checkpoint first"),
        "pause": Entry("runs.runs", "Pause a run after the step under way"),
        "resume": Entry("runs.runs", "Let a paused run go on"),
    },
    "Watch": {
        "tui": Entry("tui", "Pick, start, watch and steer runs in the terminal"),
        "replay": Entry("replay_command", "Watch a policy play in the terminal, and steer it"),
        "runs": Entry("runs.runs", "List, show, compare, steer and remove runs"),
    },
    "Evaluate": {
        "eval": Entry("train.eval", "Score a checkpoint in its environment, with an interval"),
        "report": Entry("runs.runs", "Compare methods over seeds: tables, statistics, figures"),
        "matrix": Entry("report.matrix_command", "Scores as a table, such as ablation by data ratio"),
        "analyse": Entry("analyse.analyse", "What training did to a policy: weights, attention, returns"),
    },
    "Parts": {
        "presets": Entry("presets", "List presets, methods and ablations, and what they set"),
        "data": Entry("data.data", "List, fetch, check, exchange and collect data sets"),
        "export": Entry("runs.export", "Write a policy into a folder that plays without lamo"),
        "push": Entry("runs.push", "Publish a policy on the Hugging Face hub"),
        "lm": Entry("lm.lm", "List, fetch and measure language models"),
        "pretrain": Entry("lm.pretrain", "Train a language model of your own for the trunk"),
    },
    "This machine": {
        "settings": Entry("settings.settings_command", "Show and change the dashboard's theme, characters and keys"),
        "doctor": Entry("doctor", "Say what works here and what to install"),
        "benchmark": Entry("benchmark", "Measure how fast the parts are here"),
    },
}
"""The commands in the order of the list."""

WANTED: dict[str, str] = {
    "NAME": "preset method ablation backbone task shape variant name",
    "KEY=VALUE": "set",
    "SHARE": "ratio",
    "DEVICE": "device",
    "KIND": "precision source format color pixels part state",
    "AXIS": "rows columns",
    "FILTER": "filter",
    "RUN": "resume",
    "FILE": "config trained-on test out corpus",
    "FOLDER": "policies",
    "TEXT": "note only address",
    "I/N": "shard",
    "RETURN": "target",
    "RATE": "lr matrix-lr",
    "MINUTES": "minutes time-limit",
    "SECONDS": "wait",
    "N": "seed steps episodes decisions at windows targets jobs gpus threads slots runs replay context transitions "
    "games layers width heads vocab batch sequence states save-every",
}
"""What help says that options want, if they do not say it themselves: the same everywhere."""

COMMANDS: dict[str, Entry] = {name: entry for section in SECTIONS.values() for name, entry in section.items()}


class Commands(TyperGroup):
    """All commands of `lamo`; to name them takes a tenth of the time that loading them takes."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Return the names, in the order of the list."""
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """Return a command, loaded now if nobody called it before; None where there is none of that name."""
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            self.commands[cmd_name] = load(cmd_name)
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Find the command that words call; an error names those that are spelt alike."""
        if args and args[0] not in COMMANDS:
            for name in COMMANDS:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the list of commands, in sections whose lines begin at the same column."""
        width = max(map(len, COMMANDS))
        for section, entries in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(name.ljust(width), entry.line) for name, entry in entries.items()])


def load(name: str) -> Command:
    """Return a command with its module loaded."""
    module = importlib.import_module(f"lamo_tui.cli.{COMMANDS[name].module}")
    group = hasattr(module, "app") and not hasattr(module, name)

    command: Command = get_group(module.app) if group else _single(module, name)
    command.name = name
    for part in (command, *getattr(command, "commands", {}).values()):
        accept_settings(part)
    _lay_out(command)
    return command


def _lay_out(command: Command) -> None:
    """Put examples, which modules part by dots, on lines of their own to be copied; say what options want."""
    for part in getattr(command, "commands", {}).values():
        _lay_out(part)
    if command.epilog:
        heading, _, examples = command.epilog.partition("  ")
        command.epilog = "\n  ".join(["\b\n" + heading, *examples.split("   ·   ")])
    for parameter in command.params:
        if parameter.param_type_name == "argument":  # its type only says what Python makes of it
            vars(parameter)["display_type"] = lambda ctx: ""
        elif parameter.metavar is None:
            names = {option.lstrip("-") for option in parameter.opts}
            parameter.metavar = next((want for want, known in WANTED.items() if names & set(known.split())), None)


def _single(module: ModuleType, name: str) -> Command:
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    alone.command(name, epilog=getattr(module, f"{name.upper()}_EPILOG", None))(getattr(module, name))
    return get_command(alone)
