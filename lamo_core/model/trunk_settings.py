"""Settings of a policy held against its trunk, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from lamo_core.config import ModelConfig
from lamo_core.errors import UsageError
from lamo_core.model.backbone import Backbone
from lamo_core.model.building import dropout_settings, one_line
from lamo_core.model.gpt2.trunk import Gpt2Trunk


def check_settings(config: ModelConfig, backbone: Backbone) -> None:
    """Raise `UsageError` for settings that change nothing in a trunk, and for a context that it does not take.

    Dropout on embeddings and residual branches, which is on by default, is told of by `Started` instead.
    """
    idle = list(_idle(config, backbone))
    if idle:
        named = " and ".join(f"{setting} ({why})" for setting, why, _ in idle)
        back = " ".join(f"--set {setting}" for _, _, setting in idle)
        changes = "change" if len(idle) > 1 else "changes"
        raise UsageError(f"{named} {changes} nothing in a trunk of the family {backbone.family!r}; use {back}")
    _check_length(config, backbone)


def _idle(config: ModelConfig, backbone: Backbone) -> Iterator[tuple[str, str, str]]:
    """Yield every setting that has no effect, the reason, and the setting that says so."""
    if not config.trunk_positions and not hasattr(backbone.model, "wpe"):
        why = "its positions are in no table that could be left out"
        yield "model.trunk_positions=false", why, "model.trunk_positions=true"
    if config.attention_dropout and not _drops_attention(backbone):
        why = "its attention has no dropout"
        yield f"model.attention_dropout={config.attention_dropout:g}", why, "model.attention_dropout=0"
    if config.adapter == "lora" and config.lora_bias and not _adapted_biases(backbone):
        yield "model.lora_bias=true", "the adapted matrices have no biases", "model.lora_bias=false"


def _drops_attention(backbone: Backbone) -> bool:
    return isinstance(backbone.model, Gpt2Trunk) or "attention_dropout" in dropout_settings(backbone.model.config)


def _adapted_biases(backbone: Backbone) -> bool:
    return any(
        name.endswith(".bias") and parameter.requires_grad for name, parameter in backbone.model.named_parameters()
    )


@torch.no_grad()
def _check_length(config: ModelConfig, backbone: Backbone) -> None:
    """Run a window of full length: tables of positions are shorter than some descriptions say."""
    length = config.step_tokens * config.context - 1
    tokens_1LD = torch.zeros(1, length, backbone.width)
    was_training = backbone.model.training
    backbone.model.eval()
    try:
        backbone.run(tokens_1LD)
    except UsageError:
        raise
    except Exception as error:  # the model's own code
        raise UsageError(
            f"{backbone.name} does not take the {length} tokens of {config.context} steps ({one_line(error)}); "
            "set a smaller model.context"
        ) from error
    finally:
        backbone.model.train(was_training)
