"""Moving keys: what stands in the way, what swaps, and what no terminal sends."""

from __future__ import annotations

import string

import pytest
from textual.keys import _character_to_key

from lamo_core.errors import UsageError
from lamo_tui.keys.bindings import KEYS, keys_of
from lamo_tui.keys.keymap import Taken, add, changed, move, takers
from lamo_tui.keys.names import PUNCTUATION, check_sendable, names_in, shown_key
from lamo_tui.keys.table import PARTS, PLACES

STOP, PAUSE = KEYS["runs.stop"], KEYS["runs.pause"]


def test_names_are_those_of_the_terminal_library() -> None:
    for sign in string.punctuation:
        assert PUNCTUATION[_character_to_key(sign)] == sign
        assert shown_key(_character_to_key(sign)) == sign
    assert names_in(" S, ?,ctrl+x,,space") == ["S", "question_mark", "ctrl+x", "space"]


def test_every_key_of_the_table_is_one_that_terminals_send() -> None:
    for key in KEYS.values():
        for name in names_in(key.keys):
            check_sendable(name)
    assert set(PARTS) | {"app", "list", "chart", "cells"} == set(PLACES)


def test_an_entry_takes_a_free_key_and_gets_its_default_back() -> None:
    moved = move(STOP, ["S"], {})
    assert moved == {"runs.stop": "S"}
    assert changed(STOP, moved)
    assert keys_of(STOP, add(STOP, "ctrl+x", moved)) == ["S", "^x"]
    assert move(STOP, names_in(STOP.keys), moved) == {}


@pytest.mark.parametrize(
    ("entry", "name", "taker"),
    [
        ("runs.stop", "p", "runs.pause"),
        ("runs.stop", "n", "app.new"),
        ("runs.stop", "j", "list.down"),
        ("list.down", "s", "runs.stop"),
        ("app.theme", "b", "replay.branch"),
        ("chart.marker", "x", "run.x-axis"),
        ("matrix.train", "k", "cells.up"),
    ],
)
def test_a_key_with_another_meaning_there_is_refused(entry: str, name: str, taker: str) -> None:
    with pytest.raises(Taken, match=f"is taken by .*{taker}"):
        move(KEYS[entry], [name], {})


def test_a_key_with_a_meaning_elsewhere_is_free() -> None:
    assert move(STOP, ["b"], {}) == {"runs.stop": "b"}, "b branches in Replay alone"
    assert not takers(KEYS["replay.step-back"], "comma", {}), "Replay takes the comma on purpose"


def test_two_entries_swap() -> None:
    swapped = move(STOP, ["p"], {}, swap=True)
    assert swapped == {"runs.stop": "p", "runs.pause": "s"}
    assert move(STOP, ["s"], swapped, swap=True) == {}
    with pytest.raises(Taken):
        move(STOP, ["s"], swapped)


def test_a_swap_leaves_nobody_without_a_key_or_with_another_ones() -> None:
    assert move(KEYS["list.down"], ["s"], {}, swap=True)["runs.stop"] == "down", "down is the list's no longer"
    taken = move(STOP, ["j"], {}, swap=True)
    assert names_in(taken["list.down"])[0] == "down"
    with pytest.raises(Taken) as error:
        add(STOP, "p", {}, swap=True)
    assert not error.value.swaps, "nothing is free to give"


def test_esc_stays_with_what_leaves() -> None:
    assert move(KEYS["run.back"], ["b"], {}) == {"run.back": "escape,b"}
    with pytest.raises(UsageError, match="esc stays the way back"):
        move(STOP, ["escape"], {})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ctrl+c", "interrupts"),
        ("ctrl+q", "way out"),
        ("ctrl+i", r"sends ctrl\+i as tab"),
        ("shift+s", "take S"),
        ("ctrl+shift+x", "many terminals cannot send"),
        ("ctlr+x", "did you mean 'ctrl"),
    ],
)
def test_keys_that_cannot_be_given_are_refused_in_a_sentence(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as error:
        move(STOP, [name], {})
    assert "\n" not in str(error.value)


def test_an_entry_cannot_be_left_without_a_key() -> None:
    with pytest.raises(UsageError, match="wants a key"):
        move(STOP, [], {})
