"""Model folders from elsewhere: what is opened, what is built, and what is said of the rest."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from lamo_core.errors import DataError, DeviceError, LamoError, MissingError
from lamo_core.language.tokenizer import load_tokenizer
from lamo_core.model.backbone import load_backbone
from lamo_core.model.folder import loaded_files, model_file
from lamo_core.model.hub import locate, read_card
from lamo_core.model.sizing import sizes
from tests.families.test_families import FAMILIES
from tests.families.tiny_models import save_tiny

FILES = ["config.json", "model.safetensors", "tokenizer.json"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny Llama on disk."""
    save_tiny("llama", {}, tmp_path / "model")
    return tmp_path / "model"


def changed(folder: Path, **values: Any) -> Path:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))
    return folder


def refusal(name: str, kind: type[LamoError] = DataError) -> str:
    """Return what is said, in one line and at once, of a model that is not taken."""
    started = time.perf_counter()
    with pytest.raises(kind) as caught:
        load_backbone(name)
    assert time.perf_counter() - started < 20
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(params=["pipe", "device", "folder", "link out", "link to a device", "link to itself"])
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Path], None]:
    """Puts something in a file's place that must not be opened."""
    outside = tmp_path / "outside"
    outside.write_bytes(b"{}")

    def put(path: Path) -> None:
        path.unlink(missing_ok=True)
        match request.param:
            case "pipe":
                os.mkfifo(path)
            case "device":
                path.symlink_to("/dev/zero") if os.geteuid() else os.mknod(path, 0o20666, os.makedev(1, 5))
            case "folder":
                path.mkdir()
            case "link out":
                path.symlink_to(outside)
            case "link to a device":
                path.symlink_to("/dev/zero")
            case "link to itself":
                path.symlink_to(path.name)

    return put


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_regular_file_of_the_folder_is_not_opened(
    folder: Path, odd: Callable[[Path], None], name: str
) -> None:
    odd(folder / name)
    said = refusal(str(folder))
    assert name in said or "tokenizer" in said


def test_other_odd_files_of_the_folder_are_left_alone(folder: Path, odd: Callable[[Path], None]) -> None:
    for name in ("generation_config.json", "chat_template.jinja", "modeling.py", "special_tokens_map.json"):
        odd(folder / name)
    assert load_backbone(str(folder)).width == 32


def test_a_card_and_a_tokenizer_that_are_pipes_are_not_read(folder: Path) -> None:
    for name in ("card.json", "tokenizer.json"):
        os.mkfifo(folder / name)
    assert read_card(folder) is None
    with pytest.raises(DataError, match="no regular file"):
        load_tokenizer(folder / "tokenizer.json")


def test_links_within_the_folder_and_those_of_the_hubs_cache_are_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").rename(folder / "weights")
    (folder / "model.safetensors").symlink_to("weights")
    assert load_backbone(str(folder)).width == 32
    cache = tmp_path / "models--someone--some"
    (cache / "snapshots").mkdir(parents=True)
    (cache / "blobs").mkdir()
    snapshot = folder.rename(cache / "snapshots" / "abc")
    (snapshot / "weights").rename(cache / "blobs" / "123")
    (snapshot / "model.safetensors").unlink()
    (snapshot / "model.safetensors").symlink_to("../../blobs/123")
    assert load_backbone(str(snapshot)).width == 32


def test_an_adapter_is_not_applied_and_not_passed_over(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")
    assert "merge_and_unload" in refusal(str(folder))


def test_quantised_weights_are_refused_and_their_shape_is_taken(folder: Path) -> None:
    changed(folder, quantization_config={"quant_method": "fp8"})
    assert "quantised" in refusal(str(folder))
    assert load_backbone(f"random:{folder}").width == 32


def test_weights_in_several_files_are_those_of_the_index(folder: Path) -> None:
    plain = load_backbone(str(folder))
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    halves = {"a.safetensors": dict(list(weights.items())[::2]), "b.safetensors": dict(list(weights.items())[1::2])}
    for name, half in halves.items():
        save_file(half, folder / name, {"format": "pt"})
    index = {"weight_map": {key: name for name, half in halves.items() for key in half}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    save_file({"unused": torch.zeros(3)}, folder / "consolidated.safetensors")
    assert [path.name for path in loaded_files(folder)] == ["a.safetensors", "b.safetensors"]
    split = load_backbone(str(folder))
    assert all(torch.equal(value, plain.model.state_dict()[key]) for key, value in split.model.state_dict().items())


@pytest.mark.parametrize("shard", ["../outside.safetensors", "/dev/zero", "gone.safetensors", 5, "x/../../y", ""])
def test_an_index_names_files_beside_it_only(folder: Path, shard: object) -> None:
    (folder / "model.safetensors").rename(folder / "a.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": shard}}))
    assert "index" in refusal(str(folder))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": 5}', "[" * 100_000, '{"weight_map": {"a": '])
def test_a_damaged_index_is_refused(folder: Path, text: str) -> None:
    (folder / "model.safetensors").rename(folder / "a.safetensors")
    (folder / "model.safetensors.index.json").write_text(text)
    assert "damaged" in refusal(str(folder))


def test_a_file_that_is_too_large_for_its_kind_is_not_read(folder: Path) -> None:
    with (folder / "config.json").open("r+b") as file:
        file.truncate(1 << 40)  # takes no room
    assert "bytes" in refusal(str(folder))
    assert model_file(folder, "model.safetensors", weights=True) is not None


SIZES = [
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "vocab_size", "head_dim",
]  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "random:"])
@pytest.mark.parametrize("value", [10**8, 2**31, 2**63, 10**400, 1e8, -1, "x", [10**8], {"a": 10**8}])
@pytest.mark.parametrize("name", SIZES)
def test_sizes_of_no_model_are_refused_before_they_are_built(
    folder: Path, name: str, value: object, prefix: str, small_memory: None
) -> None:
    changed(folder, **{name: value})
    refusal(f"{prefix}{folder}")


@pytest.mark.parametrize("prefix", ["", "random:"])
@pytest.mark.parametrize(
    ("family", "values"),
    [
        ("gpt2", {"n_inner": 4_000_000}),
        ("deepseek_v3", {"head_dim": 1e8}),
        ("llama", {"head_dim": 1_000_000}),
        ("gemma3", {"text_config": {"rope_parameters": {"full_attention": {"partial_rotary_factor": 1e8}}}}),
        ("gpt2", {"n_positions": 30_000_000}),
        ("ctrl", {"n_positions": 30_000_000}),
        ("marian", {"max_position_embeddings": 2_000_000}),
        ("pegasus", {"max_position_embeddings": 2_000_000}),
        ("gpt_neo", {"num_layers": 2, "attention_types": [[["global", "local"], 10**8]]}),
        ("gemma3", {"text_config": {"num_hidden_layers": 10**8}}),
        ("gemma3", {"text_config": {"vocab_size": 30_000_000}}),
        ("mixtral", {"num_local_experts": 60_000}),
        ("mixtral", {"num_hidden_layers": 8_000, "num_local_experts": 60_000}),
        ("llama", {"intermediate_size": 4_000_000, "num_hidden_layers": 900}),
    ],
    ids=str,
)
def test_sizes_that_only_together_are_too_large_are_refused_too(
    tmp_path: Path, family: str, values: dict[str, Any], prefix: str, small_memory: None
) -> None:
    save_tiny(family, FAMILIES[family].get("config", {}), tmp_path)
    changed(tmp_path, **values)
    with pytest.raises((DataError, DeviceError)) as caught:
        load_backbone(f"{prefix}{tmp_path}")
    assert "\n" not in str(caught.value)


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if 2 GB were free; what is allocated all the same must not take much more."""
    import resource

    monkeypatch.setattr(sizes, "free_memory", lambda: 2 * 10**9)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000


def test_a_model_that_does_not_fit_the_memory_says_what_it_takes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "free_memory", lambda: 10_000)
    assert "memory" in refusal(str(folder), DeviceError)
    assert "memory" in refusal(f"random:{folder}", DeviceError)
    monkeypatch.setattr(sizes, "free_memory", lambda: 10**9)
    with pytest.raises(DeviceError, match=r"gpt2-medium takes 1\.\d GB"):
        load_backbone("random:gpt2-medium")


def test_weights_and_description_that_do_not_belong_together_are_refused(folder: Path) -> None:
    changed(folder, num_hidden_layers=60, intermediate_size=4096)
    assert "do not belong together" in refusal(str(folder))


def test_free_memory_is_what_the_system_says_or_less() -> None:
    import psutil

    assert 0 < sizes.free_memory() <= 1.5 * psutil.virtual_memory().available


@pytest.mark.parametrize(
    "text",
    [
        "", "5", "[]", '"llama"', "{}", '{"model_type": 5}', '{"model_type": ""}', '{"model_type": "llama"',
        "[" * 100_000, '{"a":' * 100_000, '{"model_type": "llama", "x": ' + "9" * 5000 + "}", "\ufeff{}", "\x00",
        '{"model_type": "' + "a" * 100_000 + '"}', '{"model_type": "llama", "architectures": 5, "layer_types": 5}',
        '{"model_type": "llama", "rope_parameters": {"rope_type": "no-such"}}', '{"model_type": "llama", "dtype": []}',
        '{"model_type": "llama", "hidden_act": "no-such"}', '{"model_type": "llama", "rope_scaling": "x"}',
        '{"model_type": "vit"}', '{"model_type": "timm_wrapper"}', '{"model_type": "gpt2", "activation_function": 5}',
        '{"model_type": "gpt2", "activation_function": {}}', '{"model_type": "blt"}', '{"model_type": "musicgen"}',
    ],
    ids=lambda text: text[:40],
)  # fmt: skip
def test_odd_descriptions_are_one_sentence(folder: Path, text: str, small_memory: None) -> None:
    (folder / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises((DataError, MissingError, DeviceError)) as caught:
        load_backbone(str(folder))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_what_would_run_code_is_not_heeded(folder: Path) -> None:
    for values in (
        {"auto_map": {"AutoModelForCausalLM": "evil.Model"}},
        {"attn_implementation": "someone/kernel"},
        {"_attn_implementation": "someone/kernel"},
        {"_attn_implementation_internal": "someone/kernel"},
        {"_experts_implementation": "someone/kernel"},
    ):
        changed(folder, **values)
    (folder / "evil.py").write_text("raise RuntimeError('it ran')\n")
    assert load_backbone(str(folder)).model.config._attn_implementation == "sdpa"
    assert not {"auto_map", "attn_implementation", "_attn_implementation"} & locate(str(folder)).config.keys()
