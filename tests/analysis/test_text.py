"""How findings are printed: bars that say what the numbers beside them say."""

from __future__ import annotations

import pytest

from lamo_core.analysis.forgetting import LanguageLoss
from lamo_tui.cli.analyse.analyse_text import _BAR, _forgetting


def bars(losses: list[float], capsys: pytest.CaptureFixture[str]) -> list[tuple[str, int]]:
    """Return what was forgotten and how many cells of its bar are full, for losses at steps 0, 100, ..."""
    _forgetting([LanguageLoss(100 * number, loss) for number, loss in enumerate(losses)])
    lines = capsys.readouterr().out.splitlines()[1:]
    return [(next(word for word in line.split() if word[0] in "+-"), line.count("\N{FULL BLOCK}")) for line in lines]


@pytest.mark.parametrize("tiny", [0.0, 1e-9, 4e-4, -4e-4, 2e-3])
def test_next_to_nothing_forgotten_has_no_bar(tiny: float, capsys: pytest.CaptureFixture[str]) -> None:
    for forgotten, full in bars([3.0, 3.0 + tiny, 3.0 + tiny / 2], capsys):
        assert full == 0
        assert forgotten in ("+0.000", "+0.001", "+0.002")


def test_bars_are_as_long_as_what_was_forgotten(capsys: pytest.CaptureFixture[str]) -> None:
    assert bars([3.0, 3.05], capsys) == [("+0.000", 0), ("+0.050", _BAR // 2)]
    assert bars([3.0, 5.0, 4.0], capsys) == [("+0.000", 0), ("+2.000", _BAR), ("+1.000", _BAR // 2)]
    assert bars([3.0, 2.5], capsys) == [("+0.000", 0), ("-0.500", 0)]
    assert bars([3.0], capsys) == [("+0.000", 0)]
