"""Names of trunks: read back as written, folders may hold a colon, overlays keep what they leave open."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamo_core.errors import UsageError
from lamo_core.settings.backbone_name import BackboneName, parse_backbone
from lamo_core.settings.presets import overlay_settings, resolve


@pytest.mark.parametrize("weights", ["trained", "random", "scaled", "permuted"])
@pytest.mark.parametrize("model", ["mini", "openai-community/gpt2", "./folder", "/abs/fol der", "C:/models/x", "a:b"])
@pytest.mark.parametrize("blocks", [None, 1, 12])
def test_every_form_is_read_back_as_it_is_written(model: str, weights: str, blocks: int | None) -> None:
    name = BackboneName(model, weights, blocks)  # type: ignore[arg-type]
    assert parse_backbone(str(name)) == name
    assert name.plain == str(name.with_weights("trained"))


def test_a_folder_whose_name_ends_like_a_number_of_blocks_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("lm:4", "mini:2"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    for name in (str(tmp_path / "lm:4"), "lm:4", "./lm:4"):
        assert parse_backbone(f"scaled:{name}") == BackboneName(name, "scaled")
        assert parse_backbone(f"{name}:3") == BackboneName(name, blocks=3)
    assert parse_backbone("mini:2") == BackboneName("mini", blocks=2)  # lamo's own models come first
    assert parse_backbone("./mini:2") == BackboneName("./mini:2")
    kept = resolve("mujoco-hopper-10pct", settings=["model.backbone=permuted:lm:4:1"]).config.model.backbone
    assert kept == f"permuted:{tmp_path}/lm:4:1"


@pytest.mark.parametrize(
    ("before", "ablation", "after"),
    [
        ("mini", "no-pretraining", "random:mini"),
        ("mini", "scaled-random", "scaled:mini"),
        ("mini:2", "permuted", "permuted:mini:2"),
        ("random:mini", "scaled-random", "scaled:mini"),
        ("permuted:mini:3", "no-pretraining", "random:mini:3"),
        ("mini:2", "early-stopped", "mini-early:2"),
        ("scaled:mini", "shuffled-corpus", "scaled:mini-shuffled"),
        ("a:b", "permuted", "permuted:a:b"),
    ],
)
def test_an_overlay_changes_the_weights_or_the_model_and_nothing_else(before: str, ablation: str, after: str) -> None:
    found = overlay_settings(ablation, "ablations", "mujoco-hopper", {"model.backbone": before})
    assert found["model.backbone"] == after


@pytest.mark.parametrize("name", ["", " ", "scaled:", "permuted: ", "random:"])
def test_a_name_without_a_model_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="names no language model"):
        resolve("mujoco-hopper-10pct", settings=[f"model.backbone={name}"])
