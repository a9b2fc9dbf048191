"""The sets that ship: whole, described by their cards, small, and played back by this ale-py."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lamo_core.data.recipes.mixtures import MIXTURES
from lamo_core.data.sources.manage import verify_set
from lamo_core.data.sources.resolve import ShippedSet
from lamo_core.data.store.bundled_logs import log_path, open_log, read_card, set_names
from lamo_core.places import assets_dir

NAMES = [name for name in set_names() if log_path(name).is_relative_to(assets_dir())]


def test_together_they_are_small() -> None:
    assert NAMES
    assert sum(log_path(name).stat().st_size for name in NAMES) < 1_000_000


@pytest.mark.parametrize("name", NAMES)
def test_card_describes_the_log(name: str) -> None:
    log, card = open_log(name), read_card(name)
    assert card["log_sha256"] == log.sha256
    assert card["log_bytes"] == log_path(name).stat().st_size
    assert card["transitions"] == len(log.actions) >= 1_000_000
    assert card["episodes"] == len(log.table)
    returns = log.table["return"]
    assert card["returns"]["mean"] == pytest.approx(returns.mean(), abs=0.01)
    assert sum(card["histogram"]["counts"]) == len(returns)
    assert sum(policy["episodes"] for policy in card["policies"]) == len(returns)
    assert log.header.policies == tuple(share.name for share in MIXTURES[name].shares)
    assert "MIT" in json.dumps(card)


@pytest.mark.parametrize("name", NAMES)
def test_an_episode_comes_back(
    name: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMO_CACHE", str(tmp_path_factory.mktemp("cache")))
    assert verify_set(ShippedSet(name), replay=1).replayed == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_tenth_comes_back(name: str) -> None:
    episodes = len(open_log(name).table)
    assert verify_set(ShippedSet(name), replay=episodes // 10).replayed == episodes // 10


def test_quality_is_mixed() -> None:
    for name in NAMES:
        returns = open_log(name).table["return"].astype(float)
        low, high = np.quantile(returns, [0.1, 0.9])
        assert high - low > 0.5 * abs(returns.mean())
