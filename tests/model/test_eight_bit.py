"""Weights in eight bits: how much they keep, that they load as any model does, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lamo_core.errors import DataError, UsageError
from lamo_core.model.backbone import load_backbone, next_token_loss
from lamo_core.model.gpt2.eight_bit import pack, unpack, write_packed
from lamo_core.model.hub import locate
from lamo_core.places import assets_dir


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    write_packed(locate("mini"), tmp_path / "packed")
    return tmp_path / "packed"


def test_a_row_loses_at_most_half_of_its_step() -> None:
    matrix_RC = torch.randn(7, 33, generator=torch.Generator().manual_seed(0))
    matrix_RC[3] *= 1000.0
    matrix_RC[5] = 0.0
    again_RC = unpack(pack({"w": matrix_RC}))["w"]
    step_R1 = matrix_RC.abs().amax(1, keepdim=True) / 127
    assert torch.all((again_RC - matrix_RC).abs() <= step_R1 / 2 + 1e-6)
    assert torch.equal(again_RC[5], torch.zeros(33))


def test_vectors_stay_in_half_precision() -> None:
    vector = torch.randn(9)
    assert torch.equal(unpack(pack({"b": vector}))["b"], vector.half().float())


def test_a_packed_model_is_half_as_large_and_says_almost_the_same(packed: Path) -> None:
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (packed, assets_dir() / "mini")]
    assert sizes[0] < 0.53 * sizes[1]
    ids_BT = torch.randint(0, 4096, (2, 40), generator=torch.Generator().manual_seed(0))
    before, after = load_backbone("mini"), load_backbone(str(packed))
    assert after.tokenizer is not None
    with torch.no_grad():
        said = [backbone.logits(backbone.hidden(ids_BT)).log_softmax(-1) for backbone in (before, after)]
    assert not torch.equal(said[0], said[1])
    divergence = (said[0].exp() * (said[0] - said[1])).sum(-1).mean()
    assert divergence < 0.01


def test_a_file_without_its_scales_is_refused(packed: Path) -> None:
    file = packed / "model.safetensors"
    weights = load_file(file)
    del weights[next(name for name in weights if name.endswith(".scale"))]
    save_file(weights, file)
    with pytest.raises(DataError, match="scales"):
        load_backbone(str(packed))


def test_a_halved_file_is_refused(packed: Path) -> None:
    file = packed / "model.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DataError, match="damaged"):
        load_backbone(str(packed))


def test_packing_twice_or_over_something_is_refused(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="already"):
        write_packed(locate(str(packed)), tmp_path / "again")
    with pytest.raises(UsageError, match="not empty"):
        write_packed(locate("mini"), packed)


def test_the_relatives_of_mini_ship_and_know_less() -> None:
    """What is left of mini where its training stopped early, its words were shuffled, or its text was a chain."""
    text = "It was the best of times, and the old man went to the door of the house with his daughter."
    mini, early, shuffled, markov, random = (
        _loss(name, _ids(text)) for name in ("mini", "mini-early", "mini-shuffled", "mini-markov", "random:mini")
    )
    assert mini < early - 0.3
    assert early < shuffled - 0.3
    assert shuffled < random - 0.5
    assert markov > shuffled


def test_what_read_shuffled_words_does_not_mind_their_order() -> None:
    ids = _ids("It was the best of times, and the old man went to the door of the house with his daughter.")
    mixed = [ids[place] for place in torch.randperm(len(ids), generator=torch.Generator().manual_seed(0))]
    lost = {name: _loss(name, mixed) - _loss(name, ids) for name in ("mini", "mini-shuffled")}
    assert lost["mini"] > 1.0
    assert abs(lost["mini-shuffled"]) < 0.3


def _loss(name: str, ids: list[int]) -> float:
    """Return the mean nats of the next token under a language model."""
    with torch.no_grad():
        return float(next_token_loss(load_backbone(name), torch.tensor([ids])))


def _ids(text: str) -> list[int]:
    tokenizer = load_backbone("mini").tokenizer
    assert tokenizer is not None
    return tokenizer.encode(text).ids  # type: ignore[no-any-return]
