"""Script that writes the expected numbers of sequence policies, from published code in a checkout of its own.

    python -m tests.parity.make_policies atari CHECKOUT   # LaMo-2023; needs torch, transformers 5 and peft
    python -m tests.parity.make_policies d4rl CHECKOUT    # LaMo-2023; transformers 4.31, loralib, numpy < 2
    python -m tests.parity.make_policies dt CHECKOUT      # decision-transformer; transformers 4.31, numpy < 2

It fills the published classes with the numbers of `inputs`, under the names that lamo has for the same tensors, and
runs them on the same windows. Dropout is off. Nothing here is imported by the product or by tests.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import sys
import types
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tests.parity import inputs

LAMO = "https://github.com/srzer/LaMo-2023, commit 3e4fcc8"
DT = "https://github.com/kzl/decision-transformer, commit e2d82e6"


def stub(name: str, **attributes: Any) -> None:
    """Let a package that is imported and not used be found."""
    module = types.ModuleType(name)
    module.__dict__.update(attributes)
    module.__spec__, module.__path__ = ModuleSpec(name, None), []  # type: ignore[attr-defined]
    sys.modules[name] = module


def renamed(name: str, rules: Mapping[str, str]) -> str | None:
    """Return lamo's name of a tensor; None for one that lamo does not have."""
    for pattern, replacement in rules.items():
        new, count = re.subn(f"^{pattern}", replacement, name)
        if count:
            return new
    return None


def prepare(model: nn.Module, rules: Mapping[str, str]) -> dict[str, nn.Parameter]:
    """Fill a model and put it in training mode without dropout; returns its parameters by lamo's names."""
    named = {renamed(name, rules): parameter for name, parameter in model.named_parameters()}
    known = {name: parameter for name, parameter in named.items() if name is not None}
    inputs.fill(known.items())
    model.train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return known


def gradients(known: Mapping[str, nn.Parameter]) -> dict[str, list[float]]:
    """Return fingerprints of all gradients that are there."""
    found = {name: parameter.grad for name, parameter in known.items()}
    return {name: inputs.fingerprint(name, grad) for name, grad in found.items() if grad is not None}


def atari(folder: Path) -> None:
    """Run LaMo's Atari policy on frames."""
    import peft  # noqa: F401, before the stubs: it looks for optional packages
    import transformers

    for name in ("gym", "d4rl_atari", "wandb", "datasets", "dotmap", "hydra"):
        stub(name)
    stub("get_custom_gpt2", get_custom_gpt2_model=None)
    shape = inputs.TRUNK
    transformers.GPT2Config.from_pretrained = classmethod(lambda cls, name: cls(**shape))
    transformers.GPT2LMHeadModel.from_pretrained = classmethod(lambda cls, name: cls(transformers.GPT2Config(**shape)))
    sys.path.insert(0, str(folder / "experiment-atari"))
    import model as published

    rules = {
        r"embed_ln\.": "embed_norm.", r"embed_timestep\.": "embed_time.",
        r"embed_rtg\.fc1": "embed_return.linear", r"embed_rtg\.fc2": "embed_return.residual.project",
        r"embed_action\.fc1": "embed_action.table", r"embed_action\.fc2": "embed_action.residual.project",
        r"embed_state\.0\.7": "embed_state.linear", r"embed_state\.0\.": "embed_state.convolutions.",
        r"embed_state\.1\.fc1": "embed_state.second", r"embed_state\.1\.fc2": "embed_state.residual.project",
        r"predict_action\.0": "head.layers.0", r"transformer\.base_model\.model\.transformer\.": "trunk.",
    }  # fmt: skip
    adapt = dict.fromkeys(
        ("adapt_wte", "adapt_ln", "adapt_attn", "adapt_ff", "only_adapt_last_two_blocks", "adapt_last_two_blocks"), 0
    )
    adapted = types.SimpleNamespace(use_adapt=1, adapt_embed=1, **adapt)
    lora = types.SimpleNamespace(use_lora=1, lora_attn_dim=inputs.LORA_RANK)
    cnn = ([32, 64, 64], [8, 4, 3], [4, 2, 1], [0, 0, 0])
    with contextlib.redirect_stdout(io.StringIO()):
        net = published.DecisionTransformer(
            (4, 84, 84), inputs.GAME_ACTIONS, 4, 0.0, None, 1, 64, "cpu", *cnn, "gpt2", 1, 0, adapted, lora, 0, 0
        )
    known, batch = prepare(net, rules), inputs.frame_windows()
    stacks = batch["observations"].unfold(1, 4, 1).permute(0, 1, 4, 2, 3).float().contiguous()
    logits = net(stacks, batch["actions"], batch["returns_to_go"][..., None], batch["timesteps"])[batch["mask"]]
    loss = nn.functional.cross_entropy(logits, batch["actions"][batch["mask"]])
    loss.backward()
    numbers = {"outputs": logits.tolist(), "loss": loss.item(), "gradients": gradients(known)}
    command = "python -m tests.parity.make_policies atari CHECKOUT"
    inputs.write_numbers("policy-atari", command, LAMO, ("torch", "transformers", "peft", "numpy"), numbers)


def left_padded(batch: Mapping[str, Tensor]) -> list[Tensor]:
    """Return states, actions, returns, timesteps and the mask as published samplers give them: padding before."""
    mean, spread = inputs.state_statistics()
    states = (batch["observations"] - mean) / spread
    given = [states, batch["actions"], batch["returns_to_go"][..., None], batch["timesteps"], batch["mask"].long()]
    padding, found = (0.0, -10.0, 0.0, 0, 0), []
    for values, empty in zip(given, padding, strict=True):
        moved = torch.full_like(values, empty)
        for row, length in enumerate(batch["mask"].sum(1).tolist()):
            moved[row, values.shape[1] - length :] = values[row, :length]
        found.append(moved)
    return found


def vectors(name: str, source: str, net: nn.Module, rules: Mapping[str, str]) -> None:
    """Run a policy of vectors and write its numbers."""
    known = prepare(net, rules)
    states, actions, returns, timesteps, mask = left_padded(inputs.vector_windows())
    out = net.forward(states, actions, None, returns, timesteps, attention_mask=mask)[1][mask > 0]
    loss = torch.mean((out - actions[mask > 0]) ** 2)
    loss.backward()
    numbers = {"outputs": out.tolist(), "loss": loss.item(), "gradients": gradients(known)}
    packages = ("torch", "transformers", *(["loralib"] if "LaMo" in source else []), "numpy")
    command = f"python -m tests.parity.make_policies {'d4rl' if 'LaMo' in source else 'dt'} CHECKOUT"
    inputs.write_numbers(name, command, source, packages, numbers)


EMBEDDINGS = {
    r"embed_ln\.": "embed_norm.", r"embed_timestep\.": "embed_time.",
    r"(embed_return|embed_state|embed_action)\.fc1": r"\1.linear",
    r"(embed_return|embed_state|embed_action)\.fc2": r"\1.residual.project",
    r"(embed_return|embed_state|embed_action)\.(weight|bias)": r"\1.linear.\2",
    r"predict_action\.fc1": "head.layers.0", r"predict_action\.fc2": "head.layers.2",
    r"predict_action\.0": "head.layers.0",
}  # fmt: skip


def d4rl(folder: Path) -> None:
    """Run LaMo's policy of vectors, with embeddings of two layers (as for HalfCheetah) and of one (Hopper)."""
    sys.path.insert(0, str(folder / "experiment-d4rl"))
    import decision_transformer.models.trajectory_gpt2_LoRA as trunk
    import loralib
    from decision_transformer.models.decision_transformer import DecisionTransformer

    shape = inputs.TRUNK
    trunk.GPT2Config_LoRA.from_pretrained = classmethod(lambda cls, name: cls(**shape))
    trunk.GPT2LMHeadModel_LoRA.from_pretrained = classmethod(lambda cls, name, config: cls(config))
    rules = EMBEDDINGS | {
        r"transformer_model\.transformer\.(.*c_attn)\.(lora_[AB])": r"trunk.\1.\2.default",
        r"transformer_model\.transformer\.(.*c_attn)\.": r"trunk.\1.base_layer.",
        r"transformer_model\.transformer\.": "trunk.",
    }
    for name, mlp in (("policy-d4rl", True), ("policy-d4rl-linear", False)):
        variant = {"pretrained_lm": "gpt2", "lora": True, "dropout": 0.0, "extend_positions": False}
        variant |= {"mlp_embedding": mlp, "share_input_output_proj": False}
        with contextlib.redirect_stdout(io.StringIO()):
            net = DecisionTransformer(variant, inputs.OBSERVED, inputs.ACTIONS, 64, max_length=20, max_ep_len=1000)
        # what learns, as `experiment.py` chooses it
        loralib.mark_only_lora_as_trainable(net, bias="lora_only")
        for key, parameter in net.named_parameters():
            if "embed" in key or "predict" in key:
                parameter.requires_grad = True
        vectors(name, LAMO, net, rules)


def decision_transformer(folder: Path) -> None:
    """Run Decision Transformer's policy of vectors, in its size for locomotion."""
    import transformers.file_utils
    import transformers.modeling_utils
    import transformers.pytorch_utils

    for name in ("Conv1D", "find_pruneable_heads_and_indices", "prune_conv1d_layer"):
        setattr(transformers.modeling_utils, name, getattr(transformers.pytorch_utils, name))
    for name in ("code_sample_docstrings", "start_docstrings", "start_docstrings_to_model_forward"):
        setattr(transformers.file_utils, f"add_{name}", lambda *a, **k: lambda function: function)
    transformers.file_utils.replace_return_docstrings = lambda *a, **k: lambda function: function
    sys.path.insert(0, str(folder / "gym"))
    from decision_transformer.models.decision_transformer import DecisionTransformer

    size = {
        "n_layer": 3,
        "n_head": 1,
        "n_inner": 512,
        "activation_function": "relu",
        "n_positions": 1024,
        "n_ctx": 1024,
    }
    net = DecisionTransformer(inputs.OBSERVED, inputs.ACTIONS, 128, max_length=20, max_ep_len=1000, **size)
    vectors("policy-dt", DT, net, EMBEDDINGS | {r"transformer\.": "trunk."})


WAYS: dict[str, Callable[[Path], None]] = {"atari": atari, "d4rl": d4rl, "dt": decision_transformer}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=WAYS)
    parser.add_argument("checkout", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    WAYS[arguments.what](arguments.checkout.resolve())
