"""Whatever is killed, whenever: it goes on, and ends as if nothing had happened."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch

from tests.robustness.conftest import Keep
from tests.robustness.kills import Ended, draw_kill, load_modules, run_killed
from tests.robustness.works import WORKS, Work, environment, prepare, share

pytestmark = pytest.mark.robustness
_MOST_IN_A_ROW = 4
"""Kills of one and the same piece of work before it may come to its end."""


def same(left: Any, right: Any) -> bool:
    """Return whether two nests of tensors, arrays and plain values are equal, NaN to NaN."""
    if isinstance(left, dict):
        return (
            isinstance(right, dict) and left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
        )
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, torch.Tensor):
        return left.dtype == right.dtype and torch.equal(left.nan_to_num(), right.nan_to_num())
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right, equal_nan=left.dtype.kind == "f")
    return bool(left == right or (left != left and right != right))


def difference(left: Any, right: Any, place: str = "") -> str:
    """Return where two nests differ first."""
    if isinstance(left, dict) and isinstance(right, dict):
        if left.keys() != right.keys():
            return f"{place}: {sorted(map(str, left.keys() ^ right.keys()))[:6]}"
        return next(
            (difference(left[key], right[key], f"{place}.{key}") for key in left if not same(left[key], right[key])), ""
        )
    if isinstance(left, list | tuple) and isinstance(right, list | tuple) and len(left) == len(right):
        pairs = enumerate(zip(left, right, strict=True))
        return next((difference(a, b, f"{place}[{at}]") for at, (a, b) in pairs if not same(a, b)), "")
    return f"{place}: {str(left)[:200]} and {str(right)[:200]}"


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_what_is_killed_ends_as_if_undisturbed(
    work: Work, tmp_path: Path, keep: Keep, pytestconfig: pytest.Config
) -> None:
    wanted, seed = pytestconfig.getoption("--robustness-kills"), pytestconfig.getoption("--robustness-seed")
    whole = tmp_path / "whole"
    prepare(whole)
    undisturbed = run_killed(work.begin, whole, environment(whole))
    assert undisturbed.code == 0, (whole / "printed.txt").read_text()
    load_modules(whole)
    timed = tmp_path / "timed"
    prepare(timed)
    share(work, whole, timed)
    undisturbed = run_killed(work.begin, timed, environment(timed))
    expected = work.outcome(whole)
    assert same(work.outcome(timed), expected), "the same work twice is not the same"
    shutil.rmtree(timed)
    kinds, rounds = Counter[str](), 0
    while kinds.total() < wanted:
        rounds += 1
        assert rounds <= 4 * wanted + 4, "the kills come too late"
        rng = Random(f"{work.name} {seed} {rounds}")
        folder = tmp_path / "parts"
        prepare(folder)
        share(work, whole, folder)
        killed = _disturb(work, folder, undisturbed, min(_MOST_IN_A_ROW, wanted - kinds.total()), rng)
        found = work.outcome(folder)
        assert same(found, expected), f"round {rounds} after {killed}: {difference(found, expected)}"
        shutil.rmtree(folder)
        kinds += Counter(killed)
        keep(f"kills, seed {seed}", work.name, {"kills": kinds.total(), "works": rounds, "kinds": dict(kinds)})


def _disturb(work: Work, folder: Path, undisturbed: Ended, most: int, rng: Random) -> list[str]:
    """Begin a work, kill it, go on with it, and so on, until it is at its end; returns the kinds of the kills."""
    kinds: list[str] = []
    attempts = rng.randint(1, most)
    for attempt in range(attempts + 1):
        if kinds and not _unfinished(work, folder):
            break
        words = work.begin if work.go_on is None or not work.begun(folder) else work.go_on
        kill = draw_kill(undisturbed, work.largest, rng) if attempt < attempts else None
        ended = run_killed(words, folder, environment(folder), kill)
        if kill is not None and ended.killed:
            kinds.append(kill.kind)
            continue
        assert ended.code == 0, f"{words} ended with {ended.code}:\n{(folder / 'printed.txt').read_text()[-3000:]}"
        break
    return kinds


def _unfinished(work: Work, folder: Path) -> bool:
    return work.go_on is not None or work.begun(folder)
