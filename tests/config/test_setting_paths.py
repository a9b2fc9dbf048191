"""Paths in settings: absolute, so that they hold from any folder; names of models stay names."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamo_core.errors import UsageError
from lamo_core.settings.paths import absolute_paths
from lamo_core.settings.presets import resolve


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("folder", "mini", "dt", "smollm2-135m", "some/model"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("folder", "{}/folder"),
        ("./folder", "{}/folder"),
        ("folder/../folder/", "{}/folder"),
        ("~/folder", "{}/folder"),
        ("some/model", "{}/some/model"),
        ("./not-there", "{}/not-there"),
        ("random:folder", "random:{}/folder"),
        ("random:../x", "random:{parent}/x"),
        ("mini", "mini"),
        ("random:mini", "random:mini"),
        ("scaled:folder:2", "scaled:{}/folder:2"),
        ("permuted:mini:2", "permuted:mini:2"),
        ("random:dt", "random:dt"),
        ("smollm2-135m", "smollm2-135m"),
        ("gpt2", "gpt2"),
        ("someone/some-model", "someone/some-model"),
    ],
)
def test_a_folder_is_kept_by_its_absolute_path_and_a_name_as_it_is(here: Path, given: str, kept: str) -> None:
    expected = kept.format(here, parent=here.parent)
    assert resolve("atari-breakout-1pct", settings=[f"model.backbone={given}"]).config.model.backbone == expected


def test_a_link_stays_a_link(here: Path) -> None:
    (here / "newest").symlink_to(here / "folder")
    assert absolute_paths({"model.backbone": "newest"})["model.backbone"] == str(here / "newest")


def test_settings_of_files_are_absolute_and_ablations_apply_to_them(here: Path) -> None:
    (here / "own.toml").write_text('[model]\nbackbone = "./folder"\n[language]\nsource = "text.txt"\n')
    config = resolve("atari-breakout-1pct", file=here / "own.toml").config
    assert (config.model.backbone, config.language.source) == (str(here / "folder"), str(here / "text.txt"))
    assert resolve("atari-breakout-1pct", settings=["language.source=self"]).config.language.source == "self"


def test_an_empty_name_is_still_refused(here: Path) -> None:
    with pytest.raises(UsageError, match="names no language model"):
        resolve("atari-breakout-1pct", settings=["model.backbone= "])


@pytest.mark.parametrize("name", ["x" * 300, "x" * 3_000 + ":2", "~nobody-of-this-name/x", "random:" + "y" * 300])
def test_a_name_that_no_file_can_have_is_only_a_name(name: str) -> None:
    made = absolute_paths({"model.backbone": name, "language.source": name})
    assert name.removeprefix("random:").lstrip("~") in made["model.backbone"]
