"""The dashboard's settings file: theme, characters and keys."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from platformdirs import user_config_dir

from lamo_core.errors import UsageError
from lamo_core.settings.presets import read_toml
from lamo_core.settings.strict import unknown_key
from lamo_tui.keys.bindings import KEYS
from lamo_tui.keys.names import names_in


@dataclass(frozen=True)
class Settings:
    """What the file `config.toml` says:

    theme = "lamo-light"
    ascii = true
    [keymap]
    "runs.stop" = "S"
    """

    theme: str = ""
    """Empty takes the one that was chosen last."""
    keymap: dict[str, str] = field(default_factory=dict)
    ascii: bool = False
    """Draw nothing but ASCII, as `--ascii` does."""


_NAMES = [item.name for item in fields(Settings)]


def settings_path() -> Path:
    """Return where the settings lie: `LAMO_CONFIG`, else `config.toml` in the user's configuration folder."""
    return Path(os.environ.get("LAMO_CONFIG") or Path(user_config_dir("lamo")) / "config.toml")


def load_settings(path: Path | None = None, *, draws: bool = True) -> Settings:
    """Return the settings as `read_settings` does. Raises `UsageError` at the first thing that it does not know."""
    settings, problems = read_settings(path, draws=draws)
    for problem in problems:
        raise problem
    return settings


def read_settings(path: Path | None = None, *, draws: bool = True) -> tuple[Settings, list[UsageError]]:
    """Return what of the file can be used, and what is wrong with the rest; defaults when there is no file.

    `draws` False says that the terminal's encoding has no characters to draw with: then `ascii` is the default.
    """
    path = path or settings_path()
    if not path.exists():
        return Settings(ascii=not draws), []

    try:
        values = read_toml(path)
    except UsageError as error:
        return Settings(ascii=not draws), [error]
    problems = [unknown_key(name, _NAMES, f"setting in {path},") for name in values if name not in _NAMES]
    theme, only_ascii = values.get("theme", ""), values.get("ascii", not draws)
    if not isinstance(theme, str):
        problems.append(UsageError(f"theme in {path} wants the name of a theme, not {theme!r}"))
        theme = ""
    if not isinstance(only_ascii, bool):
        problems.append(UsageError(f"ascii in {path} is true or false, not {only_ascii!r}"))
        only_ascii = not draws
    keymap = values.get("keymap", {})
    if not isinstance(keymap, dict):
        problems.append(UsageError(f'[keymap] in {path} wants lines such as "runs.stop" = "S"'))
        keymap = {}
    doubts = {name: _doubt(name, keys, path) for name, keys in keymap.items()}
    problems += [doubt for doubt in doubts.values() if doubt is not None]
    return Settings(theme, {name: keys for name, keys in keymap.items() if doubts[name] is None}, only_ascii), problems


def _doubt(name: str, keys: Any, path: Path) -> UsageError | None:
    """Return what is wrong with a line of the keymap."""
    if name not in KEYS:
        return unknown_key(name, list(KEYS), f"key binding in {path},")
    if not isinstance(keys, str) or not names_in(keys):
        return UsageError(f'[keymap] in {path} wants lines such as "{name}" = "S", not {keys!r}')
    return None
