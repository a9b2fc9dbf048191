"""What `families.toml` says of every family of causal language models, held against a tiny model of each.

A sample runs in every suite; `pytest -m families` tries all.
"""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from lamo_core.analysis.trunk import measure_trunk
from lamo_core.config import ModelConfig
from lamo_core.errors import LamoError, UsageError
from lamo_core.evaluation.contexts import ChunkedContext, Context, SlidingContext, make_context
from lamo_core.model.backbone import Backbone, load_backbone, token_embeddings
from lamo_core.model.hub import require_table
from lamo_core.model.library import takes, takes_any
from lamo_core.model.lora.adapters import adapt
from lamo_core.model.policy import Policy, PolicyStatistics
from lamo_core.tasks.registry import get_task
from tests.families.tiny_models import VOCABULARY, save_tiny

FAMILIES: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("families.toml").read_text("utf-8"))
SAMPLE = (
    *("bart", "bert", "bloom", "cohere2", "cpmant", "deepseek_v3", "falcon", "gemma2", "gemma3", "gpt2", "gpt_neox"),
    *("gpt_oss", "llama", "mamba", "mixtral", "opt", "phi3", "qwen3_next", "roberta", "xlnet"),
)
IDS_NT = torch.randint(4, VOCABULARY - 6, (2, 12), generator=torch.Generator().manual_seed(3))
UNCUT = (*("dory", "gemma3n_text", "gpt_neox_japanese", "mamba2", "nemotron_h", "olmo_hybrid", "prophetnet", "rwkv"),)
"""Families of which a single block is no model, or whose description does not say how many there are."""
STEPS, FEATURES, ACTIONS = 12, 11, 3
ENDS = {3: [0, 2, 3], 7: [1, 2], 10: [0]}
"""Rows of the running episodes that go on after a step."""


@pytest.mark.families
@pytest.mark.filterwarnings("ignore:Loading a SarvamMLA config:FutureWarning")  # of what transformers itself writes
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_what_the_table_says(family: str, tmp_path: Path) -> None:
    check(family, tmp_path)


@pytest.mark.parametrize("family", SAMPLE)
def test_one_of_the_sample_is_what_the_table_says(family: str, tmp_path: Path) -> None:
    check(family, tmp_path)


@pytest.mark.families
def test_the_table_names_every_family() -> None:
    assert set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) <= set(FAMILIES)


def check(family: str, folder: Path) -> None:
    if family not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        pytest.skip("the installed transformers does not have this family")
    told = FAMILIES[family]
    if "not_made" in told:
        with pytest.raises((ImportError, ValueError), match=told["not_made"]):
            save_tiny(family, told.get("config", {}), folder)
        pytest.skip(f"not made here: {told['not_made']}")
    model = save_tiny(family, told.get("config", {}), folder)
    if "refused" in told:
        with pytest.raises(LamoError, match=told["refused"]):
            load_backbone(str(folder))
        return
    backbone = load_backbone(str(folder))
    backbone.model.eval()
    check_facts(backbone, model, told)
    check_words(backbone, model)
    check_cached_play(folder, backbone, told)
    check_lora(folder, told)
    check_full(folder)
    check_random(folder, backbone)
    check_controls(folder, backbone)
    measured = measure_trunk(backbone)
    assert len(measured.growth) in (0, backbone.layers)
    assert -1e-3 <= measured.told_apart <= 1.001


def check_facts(backbone: Backbone, model: Any, told: dict[str, Any]) -> None:
    words = "none" if not backbone.reads_words else "more" if backbone.reader is not None else "matrix"
    assert words == told.get("words", "matrix")
    eager = told.get("attention") == "eager" and not model._supports_sdpa  # some had it in older versions
    assert ("eager attention" in backbone.notes) == eager
    assert (backbone.cache_kind == "none") == (told.get("context") == "sliding")
    if hasattr(backbone.model, "wpe"):
        require_table(ModelConfig(backbone="random:gpt2", trunk_positions=False))


@torch.no_grad()
def check_words(backbone: Backbone, model: Any) -> None:
    """Words and their vectors give what transformers' own forward gives."""
    without_cache = {"use_cache": False} if takes(model, "use_cache") or takes_any(model) else {}
    expected_NTV = model(input_ids=IDS_NT, **without_cache).logits
    hidden_NTD, vectors_NTD = backbone.hidden(IDS_NT), token_embeddings(backbone, IDS_NT)
    kept_NTD = vectors_NTD.clone()
    assert_close(backbone.run(vectors_NTD)[0], hidden_NTD)
    assert torch.equal(vectors_NTD, kept_NTD)
    if backbone.reads_words:
        assert_close(backbone.logits(hidden_NTD), expected_NTV)
    else:
        with pytest.raises(UsageError, match="cannot be read"):
            backbone.logits(hidden_NTD)


def check_cached_play(folder: Path, backbone: Backbone, told: dict[str, Any]) -> None:
    """Four episodes that end at different times are decided with a cache as they are from scratch."""
    policy = policy_around(backbone, context=STEPS + 1)
    expected = decisions(SlidingContext(policy))
    context = make_context("chunked", policy)
    assert isinstance(context, SlidingContext if told.get("context") == "sliding" else ChunkedContext)
    for ours, theirs in zip(decisions(context), expected, strict=True):
        assert_close(ours, theirs)
    for out in decisions(make_context("chunked", policy_around(backbone, context=4))):
        assert torch.isfinite(out).all()


def policy_around(backbone: Backbone, context: int) -> Policy:
    torch.manual_seed(1)
    statistics = PolicyStatistics(10.0, 100, state_mean=(0.0,) * FEATURES, state_std=(1.0,) * FEATURES)
    return Policy(get_task("mujoco-hopper"), backbone, ModelConfig(context=context, dropout=0.0), statistics).eval()


@torch.no_grad()
def decisions(context: Context) -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    rows, previous, outs = list(range(4)), None, []
    for step in range(STEPS):
        observations = torch.randn(4, FEATURES, generator=generator)[rows]
        outs.append(context.decide(observations, torch.full((len(rows),), 0.7), previous))
        actions = torch.rand(4, ACTIONS, generator=generator)[rows]
        if step in ENDS:
            going_on = torch.tensor(ENDS[step])
            context.keep(going_on)
            rows, actions = [rows[row] for row in ENDS[step]], actions[going_on]
        previous = actions
    return outs


def check_lora(folder: Path, told: dict[str, Any]) -> None:
    """Adapters change nothing at first, get gradients everywhere, and learn alone."""
    backbone = load_backbone(str(folder))
    if told.get("lora") == "refused":
        with pytest.raises(UsageError, match=r"model\.adapter"):
            adapt(backbone, "lora", rank=2)
        return
    before = outputs(backbone)
    names = adapt(backbone, "lora", rank=2)
    assert_close(outputs(backbone), before)
    kept = {name: value.clone() for name, value in backbone.model.named_parameters() if name not in names}
    train(backbone)
    assert names
    assert all(value.grad is not None for name, value in backbone.model.named_parameters() if name in names)
    assert all(torch.equal(dict(backbone.model.named_parameters())[name], value) for name, value in kept.items())
    assert not torch.equal(outputs(backbone), before)


def check_full(folder: Path) -> None:
    backbone = load_backbone(str(folder))
    before, words = outputs(backbone), backbone.word_table.weight.clone()
    adapt(backbone, "full")
    train(backbone)
    assert torch.equal(backbone.word_table.weight, words)
    assert not torch.equal(outputs(backbone), before)


def check_random(folder: Path, backbone: Backbone) -> None:
    first, again, other = (load_backbone(f"random:{folder}", seed=seed) for seed in (1, 1, 2))
    shapes = {name: value.shape for name, value in backbone.model.state_dict().items()}
    assert {name: value.shape for name, value in first.model.state_dict().items()} == shapes
    assert first.content_hash == again.content_hash != other.content_hash


def check_controls(folder: Path, backbone: Backbone) -> None:
    """Matrices keep their spread or their entries and lose their order; the first block alone is a model too."""
    trained = dict(backbone.model.named_parameters())
    for kind in ("scaled", "permuted"):
        first, again, other = (load_backbone(f"{kind}:{folder}", seed=seed) for seed in (1, 1, 2))
        assert first.content_hash == again.content_hash != other.content_hash
        assert torch.isfinite(outputs(first)).all()
        for name, value in first.model.named_parameters():
            if value.ndim >= 2 and trained[name].std() > 0:
                assert not torch.equal(value, trained[name])
                assert torch.allclose(value.std(), trained[name].std(), rtol=0.3)
            if kind == "permuted":
                assert torch.equal(value.flatten().sort().values, trained[name].flatten().sort().values)
    if backbone.family in UNCUT:
        with pytest.raises(UsageError, match=r"block|:1"):
            load_backbone(f"{folder}:1")
    else:
        cut = load_backbone(f"{folder}:1")
        assert sum(p.numel() for p in cut.model.parameters()) < sum(p.numel() for p in trained.values())


@torch.no_grad()
def outputs(backbone: Backbone) -> Tensor:
    backbone.model.eval()
    return backbone.run(vectors(backbone.width))[0]


@functools.cache
def vectors(width: int) -> Tensor:
    return torch.randn(2, 9, width, generator=torch.Generator().manual_seed(4))


def train(backbone: Backbone) -> None:
    """Move every trained number a little in the direction of its gradient, however small that is."""
    backbone.model.train()
    (backbone.run(vectors(backbone.width))[0] * vectors(backbone.width)).mean().backward()
    with torch.no_grad():
        for value in backbone.model.parameters():
            if value.grad is not None:
                value -= 0.02 * value.grad.sign()


def assert_close(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= 1e-4 * max(1.0, float(theirs.abs().max()))
