"""Lists of seeds as people write them."""

from __future__ import annotations

import pytest

from lamo_core.errors import UsageError
from lamo_core.seeds import parse_seeds, shown_seeds


@pytest.mark.parametrize(
    ("text", "seeds"), [("3", (3,)), ("0-4", (0, 1, 2, 3, 4)), ("7,0-2, 1", (0, 1, 2, 7)), ("5-5", (5,))]
)
def test_lists_and_ranges(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds
    assert parse_seeds(shown_seeds(seeds)) == seeds


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "4-2", "1,,2", "0-99999", "1.5"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_seeds(text)


def test_the_shortest_way() -> None:
    assert shown_seeds((0, 1, 2, 7)) == "0-2,7"
