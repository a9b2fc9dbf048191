"""Our GPT-2 against transformers' and PEFT's: the same names, numbers, gradients and random draws, in fewer calls."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lamo_core.errors import DataError
from lamo_core.evaluation.attention import watch_attention
from lamo_core.model.backbone import Backbone, load_backbone, next_token_loss
from lamo_core.model.gpt2.trunk import Gpt2Trunk
from lamo_core.model.gpt2.weights import gpt2_shape
from lamo_core.model.lora.adapters import adapt

SHAPE = {"model_type": "gpt2", "vocab_size": 40, "n_positions": 48, "n_embd": 32, "n_layer": 3, "n_head": 4}
STATES = slice(1, None, 3)


def described(folder: Path, **changes: object) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**SHAPE, **changes}))
    return f"random:{folder}"


def library_trunk(name: str, seed: int = 0, dropout: float = 0.0, attention_dropout: float = 0.0) -> Any:
    """Return transformers' language model of the same description and seed."""
    from transformers.models.gpt2.configuration_gpt2 import GPT2Config
    from transformers.models.gpt2.modeling_gpt2 import GPT2LMHeadModel

    values = json.loads((Path(name.removeprefix("random:")) / "config.json").read_text())
    values.pop("model_type")
    config = GPT2Config(
        **values, attn_implementation="sdpa", use_cache=False, embd_pdrop=dropout, resid_pdrop=dropout,
        attn_pdrop=attention_dropout,
    )  # fmt: skip
    if config.activation_function == "gelu_new":
        config.activation_function = "gelu_pytorch_tanh"
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return GPT2LMHeadModel(config)


def both(name: str, seed: int = 0, dropout: float = 0.0, attention: float = 0.0) -> tuple[Backbone, Backbone]:
    """Return the trunk as lamo has it, and around transformers' model of the same weights."""
    ours = load_backbone(name, dropout=dropout, attention_dropout=attention, seed=seed)
    theirs = copy.copy(ours)
    theirs.model = library_trunk(name, seed, dropout, attention).transformer
    return ours, theirs


ADAPTERS: list[Callable[[Backbone], list[str]]] = [
    lambda trunk: adapt(trunk, "frozen"),
    lambda trunk: adapt(trunk, "full"),
    lambda trunk: adapt(trunk, "lora", rank=3, alpha=6, dropout=0.2),
    lambda trunk: adapt(trunk, "lora", rank=3, dropout=0.2, targets="all"),
    lambda trunk: adapt(trunk, "lora", rank=3, dropout=0.2, projections="separate", bias=True),
    lambda trunk: adapt(trunk, "lora", rank=3, targets="all", projections="separate", mixing="heads"),
    lambda trunk: adapt(trunk, "full", mixing="heads"),
]
NAMES = ["frozen", "full", "lora", "all", "separate", "separate-mixed", "full-mixed"]


@pytest.mark.parametrize("changes", [{}, {"n_inner": 50, "activation_function": "relu"}, {"initializer_range": 0.1}])
def test_random_weights_are_those_of_transformers(tmp_path: Path, changes: dict[str, object]) -> None:
    name = described(tmp_path / "shape", **changes)
    for seed in (0, 7):
        ours, theirs = load_backbone(name, seed=seed), library_trunk(name, seed)
        assert isinstance(ours.model, Gpt2Trunk)
        expected = theirs.transformer.state_dict()
        assert list(expected) == list(ours.model.state_dict())
        assert all(torch.equal(value, expected[key]) for key, value in ours.model.state_dict().items())
    from lamo_core.model.building import weights_hash

    assert ours.content_hash == weights_hash(theirs.state_dict())


@pytest.mark.parametrize("adapter", ADAPTERS, ids=NAMES)
@pytest.mark.parametrize("dropouts", [(0.0, 0.0), (0.3, 0.0), (0.3, 0.4)], ids=["none", "residual", "attention"])
@pytest.mark.parametrize("by_hand", [True, False])
@pytest.mark.parametrize("activation", ["gelu_new", "relu"])
def test_outputs_gradients_and_draws_are_those_of_transformers_and_peft(
    tmp_path: Path,
    adapter: Callable[[Backbone], list[str]],
    dropouts: tuple[float, float],
    by_hand: bool,
    activation: str,
) -> None:
    name = described(tmp_path / "shape", activation_function=activation)
    found = []
    for trunk in both(name, 1, *dropouts):
        trunk.model.by_hand = by_hand  # type: ignore[assignment]
        torch.manual_seed(2)
        names = adapter(trunk)
        disturb(trunk.model)
        found.append((names, *run(trunk, add_positions=True), *run(trunk, add_positions=False)))
    ours, theirs = found
    assert ours[0] == theirs[0]
    for one, other in zip(ours[1:], theirs[1:], strict=True):
        assert one.keys() == other.keys()
        for key, value in one.items():
            torch.testing.assert_close(value, other[key], atol=1e-10, rtol=1e-9, msg=lambda m, key=key: f"{key}: {m}")


@pytest.mark.parametrize("adapter", ADAPTERS, ids=NAMES)
@pytest.mark.parametrize("dropouts", [(0.0, 0.0), (0.3, 0.4)], ids=["quiet", "dropout"])
@pytest.mark.parametrize("places", [STATES, slice(-1, None), slice(0, None, 2)], ids=["states", "newest", "others"])
@pytest.mark.parametrize("by_hand", [True, False])
def test_a_last_block_for_what_is_read_is_the_whole_one_there(
    tmp_path: Path,
    adapter: Callable[[Backbone], list[str]],
    dropouts: tuple[float, float],
    places: slice,
    by_hand: bool,
) -> None:
    name = described(tmp_path / "shape")
    trunk = load_backbone(name, dropout=dropouts[0], attention_dropout=dropouts[1], seed=1)
    torch.manual_seed(2)
    adapter(trunk)
    disturb(trunk.model)
    trunk.model.by_hand = by_hand  # type: ignore[assignment]
    whole, part = run(trunk, picked=places), run(trunk, places=places)
    for one, other in zip(whole, part, strict=True):
        assert one.keys() == other.keys()
        for key, value in one.items():
            torch.testing.assert_close(value, other[key], atol=1e-10, rtol=1e-9, msg=lambda m, key=key: f"{key}: {m}")


def disturb(model: nn.Module) -> None:
    """Move what starts at zero, in an order that names alone decide."""
    for name, parameter in sorted(model.named_parameters()):
        if "lora_B" in name or ".gate." in name:
            generator = torch.Generator().manual_seed(len(name))
            parameter.data.normal_(std=0.2, generator=generator)


def run(
    trunk: Backbone, *, add_positions: bool = True, places: slice | None = None, picked: slice = slice(None)
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return hidden vectors, gradients of tokens, what is left of the random stream; and gradients of parameters."""
    trunk.model.double().train()  # so that two ways of rounding cannot hide two functions
    trunk.model.zero_grad()
    tokens = torch.randn(4, 11, 32, generator=torch.Generator().manual_seed(0)).double().requires_grad_()
    torch.manual_seed(5)
    hidden, cache = trunk.run(tokens, add_positions=add_positions, places=places)
    assert cache is None
    hidden = hidden[:, picked]
    weights = torch.randn(4, 11, 32, generator=torch.Generator().manual_seed(1))
    (hidden * weights[:, picked if places is None else places]).sum().backward()
    assert tokens.grad is not None
    after = torch.rand(3)
    trained = {name: p for name, p in trunk.model.named_parameters() if p.requires_grad}
    gradients = {name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in trained.items()}
    return {"hidden": hidden.detach(), "tokens": tokens.grad, "stream": after}, gradients


def test_in_single_precision_they_differ_by_rounding_alone(tmp_path: Path) -> None:
    name = described(tmp_path / "shape", n_embd=256, n_head=8)
    tokens = torch.randn(4, 31, 256)
    ours, theirs = (trunk.run(tokens)[0] for trunk in both(name))
    torch.testing.assert_close(ours, theirs, atol=2e-6, rtol=1e-6)


@pytest.mark.parametrize("dropout", [0.0, 0.25])
def test_first_values_of_adapters_are_those_of_peft(tmp_path: Path, dropout: float) -> None:
    found = []
    for trunk in both(described(tmp_path / "shape")):
        torch.manual_seed(11)
        adapt(trunk, "lora", rank=4, dropout=dropout, targets="all")
        found.append((dict(trunk.model.named_parameters()), torch.rand(2)))
    (ours, left), (theirs, other) = found
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert {name: p.requires_grad for name, p in ours.items()} == {name: p.requires_grad for name, p in theirs.items()}
    assert torch.equal(left, other)


def test_the_language_pass_needs_and_gets_all_tokens(tmp_path: Path) -> None:
    ours, theirs = both(described(tmp_path / "shape"))
    words = torch.randint(0, 40, (2, 20))
    torch.testing.assert_close(next_token_loss(ours, words), next_token_loss(theirs, words), atol=1e-6, rtol=1e-6)


def test_words_one_by_one_are_the_words_at_once(tmp_path: Path) -> None:
    trunk = load_backbone(described(tmp_path / "shape"))
    words, cache = torch.randint(0, 40, (2, 9)), trunk.new_cache()
    with torch.no_grad():
        parts = []
        for start, end in ((0, 4), (4, 5), (5, 9)):
            hidden, cache = trunk.next_words(words[:, start:end], cache)
            parts.append(hidden)
            if end == 5:
                cache.batch_select_indices(torch.tensor([1, 0]))
                words = words.flip(0)
                parts = [part.flip(0) for part in parts]
        torch.testing.assert_close(torch.cat(parts, 1), trunk.hidden(words), atol=1e-5, rtol=1e-5)


def test_evaluation_under_inference_mode_leaves_training_possible(tmp_path: Path) -> None:
    trunk = load_backbone(described(tmp_path / "shape"))
    with torch.inference_mode():
        trunk.run(torch.randn(1, 5, 32), places=STATES)
    tokens = torch.randn(1, 5, 32, requires_grad=True)
    trunk.run(tokens, places=STATES)[0].sum().backward()
    assert tokens.grad is not None


def test_a_tap_is_shown_what_is_read(tmp_path: Path) -> None:
    trunk = load_backbone(described(tmp_path / "shape"))
    policy = nn.Module()
    policy.trunk, policy.step_tokens = trunk.model, 3
    watch = watch_attention(policy)
    assert watch is not None
    assert (watch.layers, watch.heads) == (3, 4)
    tokens = torch.randn(1, 11, 32)
    looked = []
    for places in (None, slice(-1, None)):
        with torch.no_grad():
            trunk.run(tokens, places=places)
        looked.append(watch.take())
    assert looked[0] is not None
    assert looked[1] is not None
    assert looked[0].mean_C3 == pytest.approx(looked[1].mean_C3, abs=1e-6)


@pytest.mark.parametrize("odd", [{"scale_attn_by_inverse_layer_idx": True}, {"activation_function": "silu"}])
def test_unusual_parts_are_left_to_transformers(tmp_path: Path, odd: dict[str, object]) -> None:
    trunk = load_backbone(described(tmp_path / "shape", **odd))
    assert not isinstance(trunk.model, Gpt2Trunk)
    tokens = torch.randn(2, 7, 32)
    names = adapt(trunk, "lora", rank=2, projections="separate")
    assert len(names) == 6
    trunk.model.eval()
    whole, _ = trunk.run(tokens)
    assert torch.equal(trunk.run(tokens, places=STATES)[0], whole[:, STATES])


@pytest.mark.parametrize("wrong", [{"n_head": 5}, {"n_inner": -3}, {"layer_norm_epsilon": "x"}, {"vocab_size": True}])
def test_descriptions_of_no_gpt2_are_damage(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(DataError, match="damaged"):
        load_backbone(described(tmp_path / "shape", **wrong))
    assert gpt2_shape({"model_type": "llama"}, 0.0, 0.0) is None
