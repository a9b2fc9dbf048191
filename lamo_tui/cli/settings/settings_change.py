"""The dashboard's settings printed and changed: the checks of names and values, and the file that keeps them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from textual.theme import BUILTIN_THEMES

from lamo_core.errors import UsageError
from lamo_core.settings.strict import unknown_key
from lamo_tui.cli.output import emit_json, emit_table, note, say
from lamo_tui.keys.bindings import KEYS
from lamo_tui.keys.keymap import Taken, differences, move, names_of
from lamo_tui.keys.names import names_in
from lamo_tui.keys.table import PLACES
from lamo_tui.state.settings import Settings, load_settings, settings_path
from lamo_tui.state.settings_file import Place, Value, write_settings
from lamo_tui.terminal.ascii_fallback import can_draw
from lamo_tui.themes import THEMES


@dataclass(frozen=True)
class Line:
    """One setting."""

    name: str
    value: str
    default: str
    text: str


def print_settings(*, as_json: bool) -> None:
    """Print every setting with its value and its default."""
    path = settings_path()
    lines = _lines(load_settings(path))
    if as_json:
        rows = [
            {"name": line.name, "value": line.value, "default": line.default, "changed": line.value != line.default}
            for line in lines
        ]
        emit_json({"file": str(path), "exists": path.exists(), "settings": rows})
        return
    table = [(line.name, line.value, line.default, "*" * (line.value != line.default), line.text) for line in lines]
    emit_table(("name", "value", "default", "", "does"), table, optional=("does", "default"))
    note(f"kept in {path}" if path.exists() else f"all as by default; {path} is made by the first change")


def change_setting(name: str, value: str, *, swap: bool, as_json: bool) -> None:
    """Write a setting into its file; raises `UsageError` for a name or a value that there is not."""
    _check(name)
    if name == "theme":
        _write({("theme",): _theme(value)}, as_json)
    elif name == "ascii":
        if value.lower() not in ("true", "false"):
            raise UsageError(f"ascii is true or false, not {value!r}")
        _write({("ascii",): value.lower() == "true"}, as_json)
    else:
        _write(_moved(name, value, swap), as_json)


def reset_setting(name: str, *, swap: bool, as_json: bool) -> None:
    """Take a setting out of its file, so that its default counts; raises `UsageError`."""
    _check(name)
    _write({(name,): None} if name in ("theme", "ascii") else _moved(name, None, swap), as_json)


def _lines(settings: Settings) -> list[Line]:
    default = str(not can_draw(sys.stderr)).lower()
    lines = [
        Line("theme", settings.theme, "", "Colours; empty takes what was chosen last."),
        Line("ascii", str(settings.ascii).lower(), default, "Draw nothing but ASCII."),
    ]
    for _, keys in PLACES.values():
        for key in keys:
            lines.append(Line(key.id, ",".join(names_of(key, settings.keymap)), key.keys, key.text))
    return lines


def _check(name: str) -> None:
    """Raise `UsageError` at what is no setting."""
    known = ["theme", "ascii", *KEYS]
    if name not in known:
        raise unknown_key(name, known)


def _theme(name: str) -> str:
    known = [*(theme.name for theme in THEMES), *sorted(BUILTIN_THEMES)]
    if name not in known:
        raise unknown_key(name, known, "theme")
    return name


def _moved(name: str, keys: str | None, swap: bool) -> dict[Place, Value]:
    """Return the entries of the file that change when an action gets other keys; None are its own."""
    key, before = KEYS[name], load_settings().keymap
    try:
        after = move(key, names_in(key.keys if keys is None else keys), before, swap=swap)
    except Taken as error:
        way = "add --swap to let the two change places" if error.swaps else "take another key"
        raise UsageError(f"{error}; {way}") from error
    return {("keymap", entry): value for entry, value in differences(before, after).items()}


def _write(changes: Mapping[Place, Value], as_json: bool) -> None:
    path = settings_path()
    write_settings(changes, path)
    said = {place[-1]: value for place, value in changes.items()}
    if as_json:
        emit_json({"file": str(path), "changed": said})
        return
    for name, value in said.items():
        shown = str(value).lower() if isinstance(value, bool) else value
        say(f"{name} = {shown}" if value is not None else f"{name} is as by default")
    if not said:
        say("nothing to change")
