"""What is made from the table of keys: Textual's bindings, and how keys are shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from textual.binding import Binding, BindingType

from lamo_tui.keys.names import shown_key
from lamo_tui.keys.table import PLACES, Key

KEYS: Mapping[str, Key] = {key.id: key for _, keys in PLACES.values() for key in keys}
"""Every entry of the table by its id."""
_NAMED = re.compile(r"<([a-z]+|\*)\.([a-z-]+)>")


def bindings_of(place: str) -> list[BindingType]:
    """Return Textual's bindings of a place."""
    return [Binding(key.keys, key.action, key.label, show=key.bar > 0, id=key.id) for key in PLACES[place][1]]


def keys_of(key: Key, keymap: Mapping[str, str]) -> list[str]:
    """Return how the keys of an entry are shown, remapping applied, such as `["+", "="]`."""
    return [shown_key(name) for name in keymap.get(key.id, key.keys).split(",") if name.strip()]


def hint(ids: Sequence[str], keymap: Mapping[str, str]) -> str:
    """Return the keys of some entries with their labels, such as `a layer · h head`."""
    return " · ".join(f"{keys_of(KEYS[name], keymap)[0]} {KEYS[name].label}" for name in ids)


def with_keys(sentence: str, keymap: Mapping[str, str], place: str = "") -> str:
    """Return a sentence with keys in place of the names of actions, remapping applied.

    `<run.resume> continues it` becomes `r continues it`; `*` in `<*.resume>` stands for `place`, where the sentence is
    shown. What names no action stays as it is.
    """

    def key(found: re.Match[str]) -> str:
        entry = KEYS.get(f"{place if found[1] == '*' else found[1]}.{found[2]}")
        return found[0] if entry is None else keys_of(entry, keymap)[0]

    return _NAMED.sub(key, sentence)
