"""Controls of pre-training: what is kept of the trained weights, what is not, and that the seed decides the rest."""

from __future__ import annotations

import pytest
import torch

from lamo_core.errors import MissingError, UsageError
from lamo_core.model.backbone import load_backbone
from lamo_core.model.gpt2.trunk import Gpt2Trunk
from lamo_core.model.hub import require_model, shape_of
from lamo_core.model.sizing.shape import trunk_shape


def test_scaled_weights_keep_the_spread_of_every_matrix_and_nothing_else() -> None:
    trained, scaled = load_backbone("mini"), load_backbone("scaled:mini", seed=3)
    assert isinstance(scaled.model, Gpt2Trunk)  # the lean trunk runs controls too
    for (name, before), after in zip(trained.model.named_parameters(), scaled.model.parameters(), strict=True):
        if before.ndim < 2:
            assert torch.equal(after, torch.full_like(after, float(name.endswith("weight"))))  # plain norms, no biases
        else:
            before, after = before.detach(), after.detach()
            assert after.std() == pytest.approx(float(before.std()), rel=0.02)
            assert abs(torch.corrcoef(torch.stack([before.flatten(), after.flatten()]))[0, 1]) < 0.02


def test_permuted_weights_are_the_same_numbers_in_another_order() -> None:
    trained, permuted = load_backbone("mini"), load_backbone("permuted:mini", seed=3)
    for before, after in zip(trained.model.parameters(), permuted.model.parameters(), strict=True):
        assert torch.equal(before.flatten().sort().values, after.flatten().sort().values)
        assert torch.equal(before, after) == (before.ndim < 2)


@pytest.mark.parametrize("kind", ["scaled", "permuted"])
def test_a_seed_is_a_draw_and_the_global_state_is_left_alone(kind: str) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (load_backbone(f"{kind}:mini:1", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert first.content_hash == again.content_hash != other.content_hash
    whole = load_backbone(f"{kind}:mini", seed=1)
    assert torch.equal(whole.model.h[0].mlp.c_fc.weight, first.model.h[0].mlp.c_fc.weight)  # type: ignore[union-attr, index]


def test_the_first_blocks_are_those_of_the_whole_model() -> None:
    whole, cut = load_backbone("mini").model, load_backbone("mini:2")
    assert cut.layers == 2
    assert shape_of("scaled:mini:2")["n_layer"] == 2
    known = trunk_shape("random:mini:2")
    assert known is not None
    assert known.layers == 2
    for name, value in cut.model.named_parameters():
        assert torch.equal(value, dict(whole.named_parameters())[name])
    assert cut.content_hash != load_backbone("mini").content_hash  # texts that it wrote are not the whole model's


@pytest.mark.parametrize("name", ["mini:5", "random:mini:0", "scaled:mini:5", "random:gpt2:13"])
def test_more_blocks_than_there_are_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="blocks, so its first"):
        require_model(name)


def test_drawn_weights_of_a_model_that_is_not_here_say_how_to_get_it() -> None:
    with pytest.raises(UsageError, match="name it random:dt"):
        require_model("permuted:dt")
    with pytest.raises(MissingError, match="lamo lm get gpt3"):
        require_model("scaled:gpt3")
