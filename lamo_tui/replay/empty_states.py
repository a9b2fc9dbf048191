"""What the Replay screen says while nothing plays."""

from __future__ import annotations

from collections.abc import Mapping

from lamo_tui.keys.bindings import hint

_PATIENCE = 3.0
"""Seconds of work after which it is said how long it has taken."""


def nothing_yet(keymap: Mapping[str, str]) -> str:
    """Return how to begin."""
    return f"nothing to play yet\n\n{_ways(keymap)}"


def not_opened(keymap: Mapping[str, str]) -> str:
    """Return what else could be played when something could not be."""
    return f"this could not be opened\n\n{_ways(keymap)}"


def has_ended(keymap: Mapping[str, str]) -> str:
    """Return how to go on when the player's process is gone."""
    return f"the player has ended\n\n{_key('replay.play', keymap)} starts it again\n{_ways(keymap)}"


def at_work(what: str, seconds: float) -> str:
    """Return what is being done, and for how long when that is long."""
    return f"{what}…" + (f" {seconds:.0f} s" if seconds >= _PATIENCE else "")


def _ways(keymap: Mapping[str, str]) -> str:
    return (
        f"{_key('replay.list', keymap)} lists checkpoints and recorded episodes\n"
        f"{_key('app.runs', keymap)} goes to the runs, where {_key('runs.replay', keymap)} plays the policy of one"
    )


def _key(name: str, keymap: Mapping[str, str]) -> str:
    return hint((name,), keymap).split()[0]
