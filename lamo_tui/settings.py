"""The dashboard's settings file: theme, letters and keys."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from platformdirs import user_config_dir

from lamo_core.errors import UsageError
from lamo_core.strict import unknown_key
from lamo_tui.bindings import check_keymap


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
    """Return the settings; defaults when there is no file. Raises `UsageError` at what the file does not know.

    `draws` False says that the terminal's encoding has no letters to draw with: then `ascii` is the default.
    """
    path = path or settings_path()
    if not path.exists():
        return Settings(ascii=not draws)
    from lamo_core.presets import read_toml

    values = read_toml(path)
    for name in values:
        if name not in _NAMES:
            raise unknown_key(name, _NAMES, f"setting in {path},")
    keymap = _keymap(values.get("keymap", {}), path)
    theme = values.get("theme", "")
    if not isinstance(theme, str):
        raise UsageError(f"theme in {path} wants the name of a theme, not {theme!r}")
    only_ascii = values.get("ascii", not draws)
    if not isinstance(only_ascii, bool):
        raise UsageError(f"ascii in {path} is true or false, not {only_ascii!r}")
    return Settings(theme, keymap, only_ascii)


def _keymap(values: Any, path: Path) -> dict[str, str]:
    if not isinstance(values, dict) or not all(isinstance(keys, str) for keys in values.values()):
        raise UsageError(f'[keymap] in {path} wants lines such as "runs.stop" = "S"')
    check_keymap(values)
    return dict(values)
