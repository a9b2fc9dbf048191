"""What is made from the table of keys: Textual's bindings, and how keys are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.binding import Binding, BindingType

from lamo_core.strict import unknown_key
from lamo_tui.key_names import shown_key
from lamo_tui.key_table import PLACES, Key

KEYS: Mapping[str, Key] = {key.id: key for _, keys in PLACES.values() for key in keys}
"""Every entry of the table by its id."""


def bindings_of(place: str) -> list[BindingType]:
    """Return Textual's bindings of a place."""
    return [Binding(key.keys, key.action, key.label, show=key.bar > 0, id=key.id) for key in PLACES[place][1]]


def keys_of(key: Key, keymap: Mapping[str, str]) -> list[str]:
    """Return how the keys of an entry are shown, remapping applied, such as `["+", "="]`."""
    return [shown_key(name) for name in keymap.get(key.id, key.keys).split(",") if name.strip()]


def hint(ids: Sequence[str], keymap: Mapping[str, str]) -> str:
    """Return the keys of some entries with their labels, such as `a layer · h head`."""
    return " · ".join(f"{keys_of(KEYS[name], keymap)[0]} {KEYS[name].label}" for name in ids)


def check_keymap(keymap: Mapping[str, str]) -> None:
    """Raise `UsageError`, with the nearest known id, when the map names a key entry that does not exist."""
    for name in keymap:
        if name not in KEYS:
            raise unknown_key(name, list(KEYS), "key binding")
