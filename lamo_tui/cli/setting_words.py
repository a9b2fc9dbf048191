"""Settings among the words of a command, `optim.steps=200` and `--optim.steps=200`, as `--set optim.steps=200`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typer._click import Command

_SET = "--set"
_BARE = re.compile(r"(?:[a-z]\w*\.)+[a-z]\w*=.*", re.DOTALL)
"""A dotted name and its value; no task, run or preset is written so."""
_OPTION = re.compile(r"--((?:[a-z]\w*\.)+[a-z]\w*)(=.*)?", re.DOTALL)
"""The same with dashes before it; no option has a dot in its name."""


def accept_settings(command: Command) -> None:
    """Let a command that takes `--set` take settings in the other spellings too."""
    taking = {name for parameter in command.params for name in _with_value(parameter)}
    if _SET in taking:
        parse = command.parse_args
        vars(command)["parse_args"] = lambda context, words: parse(context, list(as_options(words, taking)))


def as_options(words: list[str], taking: set[str]) -> Iterator[str]:
    """Yield words with settings written as `--set NAME=VALUE`; `taking` are the options that a value follows.

    What follows such an option is its value, and what follows `--` stays as it is.
    """
    rest = iter(words)
    for word in rest:
        if word == "--":
            yield word
            yield from rest
        elif word in taking:
            yield word
            yield from itertools.islice(rest, 1)
        elif found := _OPTION.fullmatch(word):
            # a value may follow behind a space
            value = found[2] if found[2] is not None else f"={next(rest, '')}"
            yield from (_SET, found[1] + value)
        elif _BARE.fullmatch(word):
            yield from (_SET, word)
        else:
            yield word


def _with_value(parameter: Any) -> list[str]:
    if parameter.param_type_name != "option" or getattr(parameter, "is_flag", False):
        return []
    return [*parameter.opts, *parameter.secondary_opts]
