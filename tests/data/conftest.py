"""A tiny bundled set: Qbert played by random actors through the real collector."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamo_core.data.recipes import mixtures
from lamo_core.data.recipes.collect_atari import Collector
from lamo_core.data.recipes.mixtures import Mixture
from lamo_core.data.recipes.pack import pack_set
from lamo_core.data.store import bundled_logs
from tests.data.sources.web_server import Published, serving

SET = "qbert-medium"


def write_weights(folder: Path, mixture: Mixture) -> None:
    """Write small random weights for an actor on the console's memory."""
    rng = np.random.default_rng(0)
    arrays = {
        "net.0.weight": rng.normal(0, 0.05, (16, 2048)),
        "net.0.bias": np.zeros(16),
        "net.2.weight": rng.normal(0, 0.3, (16, 16)),
        "net.2.bias": np.zeros(16),
        "pi.weight": rng.normal(0, 0.3, (6, 16)),
        "pi.bias": np.zeros(6),
    }
    for share in mixture.shares:
        np.savez(folder / share.file, **{name: value.astype(np.float16) for name, value in arrays.items()})


@pytest.fixture(scope="session")
def tiny_mixture() -> Mixture:
    """The recipe of Qbert with episodes of at most 40 decisions."""
    return replace(mixtures.MIXTURES[SET], max_steps=40)


@pytest.fixture(scope="session")
def tiny_assets(tmp_path_factory: pytest.TempPathFactory, tiny_mixture: Mixture) -> Path:
    """A folder of assets with one set of at least 200 transitions, collected and packed."""
    folder = tmp_path_factory.mktemp("assets")
    write_weights(folder, tiny_mixture)
    collector = Collector(tiny_mixture, folder, folder / "episodes", slots=3)
    assert sum(len(episode.actions) for episode in collector.collect(200)) >= 200
    pack_set(tiny_mixture, folder / "episodes", folder / "atari", 200)
    return folder


@pytest.fixture(scope="session")
def tiny_cache(tiny_assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache folder of the tiny set after all its episodes were replayed; tests work on copies."""
    folder = tmp_path_factory.mktemp("replayed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundled_logs, "assets_dir", lambda: tiny_assets)
        patch.setenv("LAMO_CACHE", str(folder / "cache"))
        patch.delenv("LAMO_DATA", raising=False)
        log = bundled_logs.open_log(SET)
        bundled_logs.fetch_episodes(log, np.arange(len(log.table)))
    return folder / "cache"


@pytest.fixture
def tiny_set(tiny_assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the tiny set, with an empty cache."""
    monkeypatch.setattr(bundled_logs, "assets_dir", lambda: tiny_assets)
    monkeypatch.setenv("LAMO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LAMO_DATA", raising=False)
    return SET


@pytest.fixture
def cached_set(tiny_set: str, tiny_cache: Path, tmp_path: Path) -> str:
    """The name of the tiny set, all of it in the cache."""
    shutil.copytree(tiny_cache, tmp_path / "cache")
    return tiny_set


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Published]:
    """A server in the place of the published data sets, and an empty folder of data."""
    monkeypatch.setenv("LAMO_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LAMO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LAMO_SOURCES", str(tmp_path / "sources.toml"))
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (tmp_path / "sources.toml").write_text("")
    with serving() as site:
        yield Published(site, tmp_path / "sources.toml")


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convert HDF5 files here instead of in a worker, which takes half a second to start; they are sound."""
    from lamo_core.data.sources import d4rl, minari
    from lamo_core.data.sources.d4rl_file import convert_d4rl
    from lamo_core.data.sources.minari_file import convert_minari

    def convert(job: dict[str, Any], path: Path, progress: object) -> dict[str, Any]:
        conversion = {"d4rl": convert_d4rl, "minari": convert_minari}[job["kind"]]
        return conversion(Path(job["path"]), Path(job["out"]), job["facts"], lambda stage, done, total: None)

    for module in (d4rl, minari):
        monkeypatch.setattr(module, "read_isolated", convert)
