"""The user's file of addresses: whatever it holds, one sentence says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamo_core.data.sources.catalogue import published_sets
from lamo_core.errors import UsageError


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('d4rl = "x"', "d4rl is a table"),
        ("[d4rl]\nsets = 5", "d4rl.sets is a table"),
        ("[d4rl.sets]\nx = 5", "d4rl.sets.x is a table"),
        ('[d4rl]\nmirrors = ["http://[::1"]', "mirrors wants a list"),
        ("[d4rl]\nmirrors = [5]", "mirrors wants a list"),
        ("[nobody]", "nobody"),
        ("[[[", "not valid TOML"),
    ],
)
def test_a_wrong_file_of_addresses_says_so(
    text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sources.toml").write_text(text)
    monkeypatch.setenv("LAMO_SOURCES", str(tmp_path / "sources.toml"))
    with pytest.raises(UsageError, match=says):
        published_sets()
