"""Numbers as words: with what they count in the singular or the plural, and with the digits that tell them apart."""

from __future__ import annotations

from collections.abc import Sequence

_MOST_DIGITS = 6


def counted(count: int, thing: str) -> str:
    """Return a number with what it counts: `1 episode`, `1,500 episodes`, `2 settings of the run`.

    The first word of `thing` is what is counted, in the singular.
    """
    return f"{count:,} {plural(thing, count)}"


def plural(thing: str, count: float) -> str:
    """Return what is counted, in the plural unless it is one: `episode`, `episodes`, `entries`, `batches`."""
    word, space, rest = thing.partition(" ")
    if count == 1:
        return thing
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        word = f"{word[:-1]}ies"
    elif word.endswith(("s", "x", "ch", "sh")):
        word = f"{word}es"
    else:
        word = f"{word}s"
    return f"{word}{space}{rest}"


def told_apart(values: Sequence[float]) -> list[str]:
    """Return numbers with as few digits behind the point as tell different ones apart."""
    for digits in range(_MOST_DIGITS + 1):
        texts = [f"{round(value, digits) + 0.0:.{digits}f}" for value in values]
        if len(set(texts)) == len(set(values)):
            break
    return texts
