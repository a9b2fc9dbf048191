"""Moving keys: what stands in the way of a key, and two actions that swap theirs.

A keymap holds only what differs from the table: the id of an entry to its keys, separated by commas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lamo_core.errors import UsageError
from lamo_tui.keys.names import check_sendable, names_in, shown_key
from lamo_tui.keys.table import PARTS, PLACES, Key

Keymap = Mapping[str, str]

_FIXED = {
    "ctrl+c": "ctrl+c stays what interrupts a program in a terminal",
    "ctrl+q": "ctrl+q stays the way out of the dashboard, whatever else is moved",
    "escape": "esc stays the way back out of windows, searches and screens",
}


class Taken(UsageError):
    """A key has another meaning where the action works; `swaps` says whether the two can change places."""

    def __init__(self, name: str, takers: Sequence[Key], swaps: bool) -> None:
        self.swaps = swaps
        first = takers[0]
        more = f" and {len(takers) - 1} more" if len(takers) > 1 else ""
        super().__init__(f"{shown_key(name)} is taken by {first.label} ({first.id}){more}")


def names_of(key: Key, keymap: Keymap) -> list[str]:
    """Return Textual's names of an entry's keys, remapping applied."""
    return names_in(keymap.get(key.id, key.keys))


def place_of(key: Key) -> str:
    """Return the place that an entry belongs to."""
    return key.id.partition(".")[0]


def changed(key: Key, keymap: Keymap) -> bool:
    """Return whether an entry has other keys than by default."""
    return names_of(key, keymap) != names_in(key.keys)


def takers(key: Key, name: str, keymap: Keymap) -> list[Key]:
    """Return the other entries that a key means where `key` works; those that share it by default do so on purpose."""
    mine = names_in(key.keys)
    return [
        other
        for place in _together(place_of(key))
        for other in PLACES[place][1]
        if other != key and name in names_of(other, keymap) and not (name in mine and name in names_in(other.keys))
    ]


def move(key: Key, names: Sequence[str], keymap: Keymap, *, swap: bool = False) -> dict[str, str]:
    """Return the keymap in which an entry has these keys; `swap` gives its old one to what had them.

    Esc stays with what has it by default. Raises `Taken`, and `UsageError` at a key that cannot be given.
    """
    own = names_in(key.keys)
    wanted = list(dict.fromkeys([*(["escape"] if "escape" in own else []), *names]))
    if not wanted:
        raise UsageError(f"{key.id} wants a key, such as {own[0]}")
    for name in wanted:
        if name not in own:
            _check(name)
    found = dict(keymap)
    free = [name for name in names_of(key, keymap) if name not in wanted and name != "escape"]
    _put(found, key, wanted)
    for name in wanted:
        others = takers(key, name, found)
        if others:
            swapped = _swapped(found, others, name, free)
            if swapped is None or not swap:
                raise Taken(name, others, swapped is not None)
            found = swapped
    return found


def add(key: Key, name: str, keymap: Keymap, *, swap: bool = False) -> dict[str, str]:
    """Return the keymap in which an entry has one more key; raises as `move` does."""
    return move(key, [*names_of(key, keymap), name], keymap, swap=swap)


def differences(before: Keymap, after: Keymap) -> dict[str, str | None]:
    """Return the entries of a keymap that differ in another; None where they are gone."""
    return {name: after.get(name) for name in {**before, **after} if before.get(name) != after.get(name)}


def _check(name: str) -> None:
    if name in _FIXED:
        raise UsageError(_FIXED[name])
    check_sendable(name)


def _together(place: str) -> list[str]:
    """Return the places whose keys work at the same time as those of a place."""
    if place == "app":
        return list(PLACES)
    around = [screen for screen, parts in PARTS.items() if place in parts]
    return ["app", place, *PARTS.get(place, ()), *around]


def _put(keymap: dict[str, str], key: Key, names: Sequence[str]) -> None:
    if list(names) == names_in(key.keys):
        keymap.pop(key.id, None)
    else:
        keymap[key.id] = ",".join(names)


def _swapped(keymap: Keymap, others: Sequence[Key], name: str, free: Sequence[str]) -> dict[str, str] | None:
    """Return the keymap in which others have lost a key, and got one that is free; None where one would have none."""
    found = dict(keymap)
    for other in others:
        left = [known for known in names_of(other, found) if known != name]
        given = [known for known in free if known not in left and not takers(other, known, found)][:1]
        if not left + given:
            return None
        _put(found, other, [*left, *given])
    return found
