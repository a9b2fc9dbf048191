"""A small text, and a tiny model that was trained on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamo_core.language.pretrain_events import PretrainConfig

WORDS = [
    "the",
    "old",
    "sea",
    "sailor",
    "sings",
    "a",
    "song",
    "of",
    "storms",
    "and",
    "stars",
    "while",
    "ships",
    "sleep",
    "under",
    "silver",
    "skies",
    "far",
    "away",
]

TINY = PretrainConfig(
    layers=1,
    width=32,
    heads=2,
    vocabulary=320,
    steps=24,
    batch_size=8,
    sequence=16,
    save_every=10,
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """600 lines in which each word follows one of two others."""
    generator, at, lines = np.random.default_rng(0), 0, []
    for _ in range(600):
        line = []
        for _ in range(12):
            at = (at + int(generator.integers(1, 3))) % len(WORDS)
            line.append(WORDS[at])
        lines.append(" ".join(line))
    path = tmp_path / "text.txt"
    path.write_text("\n".join(lines) + "\n")
    return path
