"""The trunk: loading by name, adapters, positions, caches, and refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lamo_core.errors import DataError, LamoError, MissingError, UsageError
from lamo_core.model.backbone import Backbone, load_backbone, next_token_loss, token_embeddings
from lamo_core.model.gpt2.trunk import Gpt2Trunk
from lamo_core.model.gpt2.weights import gpt2_shape
from lamo_core.model.hub import available_backbones, locate, read_card, shape_of
from lamo_core.model.lora.adapters import adapt
from lamo_core.places import assets_dir

TINY_GPT2 = {
    "model_type": "gpt2",
    "vocab_size": 50,
    "n_positions": 24,
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 2,
    "bos_token_id": 0,
    "eos_token_id": 0,
}


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def mini() -> Backbone:
    backbone = load_backbone("mini")
    backbone.model.eval()
    return backbone


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny GPT-2 on disk."""
    from lamo_core.language.model_folder import export_model, language_model

    torch.manual_seed(0)
    export_model(
        language_model({k: v for k, v in TINY_GPT2.items() if k.startswith(("vocab", "n_"))}), tmp_path / "tiny"
    )
    return tmp_path / "tiny"


@pytest.fixture
def llama_folder(tmp_path: Path) -> Path:
    """A tiny Llama with a head of its own on disk."""
    from transformers.models.llama.configuration_llama import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path / "llama")
    return tmp_path / "llama"


def test_mini_is_the_same_function_as_transformers_gpt2(mini: Backbone) -> None:
    from transformers.models.gpt2.modeling_gpt2 import GPT2Model

    reference = GPT2Model.from_pretrained(assets_dir() / "mini", dtype=torch.float32).eval()
    ids_BT = torch.randint(0, 4096, (2, 40), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected_BTD = reference(ids_BT).last_hidden_state
        assert torch.allclose(mini.hidden(ids_BT), expected_BTD, atol=1e-5)
        through_vectors_BTD, _ = mini.run(token_embeddings(mini, ids_BT))
        assert torch.allclose(through_vectors_BTD, expected_BTD, atol=1e-5)


def test_mini_is_a_language_model(mini: Backbone) -> None:
    assert mini.tokenizer is not None
    text = "It was the best of times, and the old man went to the door of the house with his daughter."
    ids_T = torch.tensor(mini.tokenizer.encode(text).ids)
    shuffled_T = ids_T[torch.randperm(len(ids_T), generator=torch.Generator().manual_seed(1))]
    with torch.no_grad():
        assert next_token_loss(mini, ids_T[None]) < next_token_loss(mini, shuffled_T[None]) - 0.5


def test_mini_ships_in_at_most_12_megabytes() -> None:
    assert sum(path.stat().st_size for path in (assets_dir() / "mini").iterdir()) < 12e6


def test_lora_changes_nothing_at_first_and_something_after_a_step(mini: Backbone) -> None:
    tokens_NLD = torch.randn(2, 9, mini.width)
    with torch.no_grad():
        before, _ = mini.run(tokens_NLD)
    names = adapt(mini, "lora", rank=4)
    with torch.no_grad():
        after, _ = mini.run(tokens_NLD)
    assert torch.equal(before, after)
    optimiser = torch.optim.SGD([p for p in mini.model.parameters() if p.requires_grad], lr=1.0)
    mini.run(tokens_NLD)[0].square().mean().backward()
    optimiser.step()
    with torch.no_grad():
        assert not torch.equal(before, mini.run(tokens_NLD)[0])
    parts = [f"h.{layer}.attn.c_attn.lora_{part}.default.weight" for layer in range(4) for part in "AB"]
    assert names == parts


def test_lora_on_gpt2_has_the_parameters_counted_by_hand() -> None:
    with torch.device("meta"):
        shape = gpt2_shape(shape_of("gpt2"), 0.1, 0.0)
        assert shape is not None
        gpt2 = Backbone("gpt2", "", Gpt2Trunk(shape), "gpt2", 768, 12, 1024)
        total = sum(p.numel() for p in gpt2.model.parameters())
        names = adapt(gpt2, "lora", rank=32)
    trained = dict(gpt2.model.named_parameters())
    assert total == 124_439_808
    assert sum(trained[name].numel() for name in names) == 12 * (32 * 768 + 2304 * 32)


@pytest.mark.parametrize(("adapter", "frozen"), [("frozen", None), ("full", {"wte.weight"})])
def test_frozen_trains_nothing_and_full_all_but_the_words(folder: Path, adapter: str, frozen: set[str] | None) -> None:
    tiny = load_backbone(str(folder))
    names = adapt(tiny, adapter)  # type: ignore[arg-type]
    everything = {name for name, _ in tiny.model.named_parameters()}
    assert set(names) == (everything - frozen if frozen else set())
    assert {n for n, p in tiny.model.named_parameters() if p.requires_grad} == set(names)


def test_leaving_out_positions_is_a_zero_position_table(folder: Path) -> None:
    tiny, without = load_backbone(str(folder)), load_backbone(str(folder))
    torch.nn.init.zeros_(without.model.get_parameter("wpe.weight"))
    tiny.model.eval(), without.model.eval()
    tokens_NLD = torch.randn(2, 7, 16)
    with torch.no_grad():
        hidden, _ = tiny.run(tokens_NLD, add_positions=False)
        assert torch.allclose(hidden, without.run(tokens_NLD)[0], atol=1e-5)
        assert not torch.allclose(hidden, tiny.run(tokens_NLD)[0], atol=1e-3)


@pytest.mark.parametrize("add_positions", [True, False])
@pytest.mark.parametrize("kind", ["folder", "llama_folder"])
def test_cached_runs_equal_whole_ones(kind: str, add_positions: bool, request: pytest.FixtureRequest) -> None:
    trunk = load_backbone(str(request.getfixturevalue(kind)))
    trunk.model.eval()
    tokens_NLD = torch.randn(3, 12, 16)
    with torch.no_grad():
        whole, nothing = trunk.run(tokens_NLD, add_positions=add_positions)
        assert nothing is None
        first, cache = trunk.run(tokens_NLD[:, :5], use_cache=True, add_positions=add_positions)
        parts = [first]
        for start, end in ((5, 8), (8, 9), (9, 12)):
            part, cache = trunk.run(
                tokens_NLD[:, start:end], position=start, cache=cache, use_cache=True, add_positions=add_positions
            )
            parts.append(part)
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-5)


def test_next_token_loss_is_the_cross_entropy_of_the_next_word(folder: Path) -> None:
    tiny = load_backbone(str(folder))
    tiny.model.eval()
    ids_BT = torch.randint(0, 50, (2, 10))
    logits_BTV = tiny.hidden(ids_BT) @ tiny.word_table.weight.T
    expected = -logits_BTV.log_softmax(-1)[:, :-1].gather(-1, ids_BT[:, 1:, None]).mean()
    assert torch.allclose(next_token_loss(tiny, ids_BT), expected)


def test_next_token_loss_sees_positions(folder: Path) -> None:
    tiny = load_backbone(str(folder))
    tiny.model.eval()
    ids_BT = torch.randint(0, 50, (2, 10))
    with torch.no_grad():
        before = next_token_loss(tiny, ids_BT)
        tiny.model.get_parameter("wpe.weight").zero_()
        assert next_token_loss(tiny, ids_BT) != before


def test_language_loss_reaches_the_adapters_and_nothing_else(folder: Path) -> None:
    tiny = load_backbone(str(folder))
    names = adapt(tiny, "lora", rank=2)
    next_token_loss(tiny, torch.randint(0, 50, (2, 10))).backward()
    assert {n for n, p in tiny.model.named_parameters() if p.grad is not None} == set(names)


def test_a_llama_gets_lora_on_its_three_projections_and_keeps_its_head(llama_folder: Path) -> None:
    llama = load_backbone(str(llama_folder))
    llama.model.eval()
    assert (llama.family, llama.width, llama.layers, llama.positions) == ("llama", 16, 2, 64)
    head = load_file(llama_folder / "model.safetensors")["lm_head.weight"]
    hidden_ND = torch.randn(3, 16)
    assert torch.allclose(llama.logits(hidden_ND), hidden_ND @ head.T, atol=1e-6)
    owners = {name.split(".")[-4] for name in adapt(llama, "lora", rank=2)}
    assert owners == {"q_proj", "k_proj", "v_proj"}


def test_random_weights_follow_the_seed_and_leave_the_global_state_alone(folder: Path) -> None:
    name = f"random:{folder}"
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (load_backbone(name, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert first.content_hash == again.content_hash != other.content_hash
    assert torch.equal(first.word_table.weight, again.word_table.weight)
    assert first.width == 16


def test_known_shapes_need_no_download() -> None:
    shapes = {name: shape_of(name) for name in ("mini", "gpt2", "gpt2-medium", "distilgpt2")}
    sizes = {name: (shape["n_layer"], shape["n_embd"], shape["n_head"]) for name, shape in shapes.items()}
    assert sizes["gpt2"] == (12, 768, 12)
    assert sizes["gpt2-medium"] == (24, 1024, 16)
    assert sizes["distilgpt2"] == (6, 768, 12)


def test_dropout_is_where_it_was_asked_for(folder: Path) -> None:
    config = load_backbone(str(folder), dropout=0.25, attention_dropout=0.5).model.config
    assert (config.embd_pdrop, config.resid_pdrop, config.attn_pdrop) == (0.25, 0.25, 0.5)
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "scale_attn_by_inverse_layer_idx": True}))
    config = load_backbone(str(folder), dropout=0.25, attention_dropout=0.5).model.config
    assert (config.embd_pdrop, config.resid_pdrop, config.attn_pdrop) == (0.25, 0.25, 0.5)
    assert config.activation_function == "gelu_pytorch_tanh"
    assert config._attn_implementation == "sdpa"


def test_the_content_hash_is_that_of_the_weights_file(folder: Path) -> None:
    import hashlib

    file = folder / "model.safetensors"
    assert load_backbone(str(folder)).content_hash == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["gpt2", "someone/some-model"])
def test_a_missing_hub_model_names_the_command_that_gets_it(name: str) -> None:
    with pytest.raises(MissingError, match=f"lamo lm get {name}"):
        load_backbone(name)


@pytest.mark.parametrize("name", ["smollm2-135m", "./nowhere", "two words", ""])
def test_other_missing_models_say_what_to_do(name: str) -> None:
    with pytest.raises(MissingError) as caught:
        load_backbone(name)
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="pickled"):
        load_backbone(str(folder))


def _cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def _empty(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def _without_a_tensor(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["transformer.h.1.mlp.c_fc.weight"]
    save_file(weights, folder / "model.safetensors")


def _wrong_shape(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_embd": 32}))


def _broken_config(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": ')


def _deep_config(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 100_000)


def _changed(**values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **values}))

    return change


def _unknown_family(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "no-such-family"}')


def _not_causal(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "vit"}')


def _no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


DAMAGES = [_cut, _empty, _without_a_tensor, _wrong_shape, _broken_config, _unknown_family, _not_causal, _deep_config]
ABSURD = [{"n_head": 0}, {"n_layer": 10**9}, {"n_embd": "x"}, {"n_positions": "x"}, {"activation_function": 5}]


@pytest.mark.parametrize("damage", [*DAMAGES, _no_weights, _no_config], ids=lambda damage: damage.__name__)
def test_damaged_folders_are_refused_in_one_sentence(folder: Path, damage: object) -> None:
    damage(folder)  # type: ignore[operator]
    with pytest.raises(LamoError) as caught:
        load_backbone(str(folder))
    assert "\n" not in str(caught.value)
    assert type(caught.value) is (DataError if damage in DAMAGES else MissingError)


@pytest.mark.parametrize("values", ABSURD, ids=str)
def test_descriptions_of_no_model_are_damage(folder: Path, values: dict[str, object]) -> None:
    _changed(**values)(folder)
    with pytest.raises(DataError) as caught:
        load_backbone(str(folder))
    assert "\n" not in str(caught.value)


def test_a_card_of_another_form_is_none(folder: Path) -> None:
    (folder / "card.json").write_text("[" * 100_000)
    assert read_card(folder) is None


def test_code_that_comes_with_a_model_is_not_run(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModelForCausalLM": "evil.Model"}}))
    (folder / "evil.py").write_text("raise RuntimeError('it ran')\n")
    assert load_backbone(str(folder)).width == 16


def test_too_long_a_sequence_says_so(folder: Path) -> None:
    with pytest.raises(UsageError, match="takes 24 tokens, this needs 25"):
        load_backbone(str(folder)).run(torch.zeros(1, 5, 16), position=20)


def test_models_in_the_hub_cache_are_found_by_either_name(folder: Path, tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--openai-community--gpt2"
    snapshot = repository / "snapshots" / "abc"
    snapshot.parent.mkdir(parents=True)
    folder.rename(snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    assert locate("gpt2").folder == locate("openai-community/gpt2").folder == snapshot
    rows = {row.name: row for row in available_backbones()}
    assert rows["openai-community/gpt2"].here
    assert "gpt2" not in rows
    assert not rows["distilgpt2"].here
    assert rows["distilgpt2"].command == "lamo lm get distilgpt2"
