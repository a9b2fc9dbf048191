"""Exported policies decide as the checkpoints that they were made from, and need nothing of lamo."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lamo_core as lamo
from lamo_core.baselines.make import make_markov_policy
from lamo_core.config import RunConfig
from lamo_core.errors import LamoError, MissingError, UsageError
from lamo_core.exchange import export
from lamo_core.exchange.decision_graph import DecisionGraph
from lamo_core.exchange.export import Exported, compare, export_policy, load_runner
from lamo_core.exchange.runner_text import Format, runner_text
from lamo_core.model.backbone import load_backbone
from lamo_core.model.policy import Policy, PolicyStatistics
from lamo_core.training.checkpoint import Checkpoint, fresh_policy, load_policy, trained_weights, write_checkpoint
from lamo_tui.cli.app import run
from tests.player.tiny import make_checkpoint, tiny_config

BREAKOUT, HOPPER, KITCHEN = "atari-breakout", "mujoco-hopper", "kitchen-complete"
FORMATS: tuple[Format, ...] = ("onnx", "torch")


def need(kind: Format) -> None:
    for package in export.PACKAGES[kind]:
        pytest.importorskip(package)


def exported(folder: Path, config: RunConfig, kind: Format = "torch") -> Exported:
    return export_policy(make_checkpoint(folder / "ckpt.pt", config), folder / "out", kind)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("task", [BREAKOUT, HOPPER, KITCHEN])
@pytest.mark.parametrize("context", ["sliding", "chunked"])
def test_a_hundred_decisions_are_those_of_the_checkpoint(tmp_path: Path, task: str, kind: Format, context: str) -> None:
    need(kind)
    config = tiny_config(task, context=context, action="sample")
    path = make_checkpoint(tmp_path / "ckpt.pt", config)
    done = export_policy(path, tmp_path / "out", kind)
    policy, _, _ = load_policy(path, torch.device("cpu"))
    assert compare(load_runner(done.folder), policy, done.facts, decisions=100) <= 1e-5


@pytest.mark.parametrize(
    "changes",
    [
        {"lora_projections": "separate", "attention_mixing": "heads"},
        {"adapter": "full", "timestep": "none"},
        {"action_tokens": "vocabulary", "lora_targets": "all"},
    ],
)
def test_adapters_are_merged_into_the_trunk(changes: dict[str, Any]) -> None:
    config = tiny_config(HOPPER)
    if "action_tokens" in changes:
        config = tiny_config(BREAKOUT)
    config = RunConfig.from_dict({**config.to_dict(), "model": {**config.to_dict()["model"], **changes}})
    policy = _adapted(config)
    graph = DecisionGraph(policy)
    assert not any("lora" in name for name, _ in graph.named_parameters())
    assert any("lora" in name for name, _ in policy.named_parameters()) == (config.model.adapter == "lora")
    with torch.inference_mode():
        for newest in (0, 3, config.model.context - 1):
            given = _random_inputs(graph, newest)
            ours = _decided(policy, *given)
            torch.testing.assert_close(graph(*given)[0], ours, atol=1e-5, rtol=0)


def _adapted(config: RunConfig) -> Policy:
    torch.manual_seed(0)
    policy, _ = fresh_policy(config, load_backbone(config.model.backbone), PolicyStatistics(20.0, 100))
    with torch.no_grad():
        for name, parameter in policy.named_parameters():
            if "lora_B" in name or ".gate." in name:
                parameter.normal_(std=0.3)
    return policy.eval()


def _random_inputs(graph: DecisionGraph, newest: int) -> tuple[torch.Tensor, ...]:
    seen, returns, actions, timesteps, _ = graph.example()
    seen = torch.randint_like(seen, 0, 256) if seen.dtype == torch.uint8 else torch.randn_like(seen)
    actions = torch.randint_like(actions, 0, 3) if actions.dtype == torch.int64 else torch.randn_like(actions)
    return seen, torch.randn_like(returns), actions, timesteps, torch.tensor(newest)


def _decided(policy: Any, seen: Any, returns: Any, actions: Any, timesteps: Any, newest: Any) -> torch.Tensor:
    """Decide from the real steps alone, as a context does."""
    end = int(newest) + 1
    states = policy.encode_observations(seen[:end]).unsqueeze(0)
    asked = returns[None, :end] / policy.return_scale
    tokens = policy.tokens(asked, states, actions[None, : end - 1] if end > 1 else None, timesteps[None, :end])
    hidden, _ = policy.run_trunk(tokens, places=slice(-1, None))
    out = policy.act_head(hidden[:, -1], asked[:, -1])[0]
    return out.softmax(-1) if policy.task.action_kind == "discrete" else out.clamp(-1, 1)


LLAMA = {
    "model_type": "llama",
    "vocab_size": 16,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 64,
}


@pytest.mark.parametrize("kind", FORMATS)
def test_trunks_of_transformers_are_exported_with_peft_merged(tmp_path: Path, kind: Format) -> None:
    need(kind)
    config = tiny_config(HOPPER)
    (tmp_path / "llama").mkdir()
    (tmp_path / "llama" / "config.json").write_text(json.dumps(LLAMA))
    config = replace(config, model=replace(config.model, backbone=f"random:{tmp_path / 'llama'}"))
    policy = _adapted(config)
    facts = {"targets": [1.0]}
    checkpoint = Checkpoint(
        config, 3, config.model.backbone, policy.backbone.content_hash, policy.statistics, facts,
        trained_weights(policy), None,
    )  # fmt: skip
    write_checkpoint(tmp_path / "ckpt.pt", checkpoint)
    done = export_policy(tmp_path / "ckpt.pt", tmp_path / "out", kind)
    assert compare(load_runner(done.folder), policy, done.facts, decisions=30) <= 1e-5


@pytest.mark.parametrize("method", ["bc", "cql"])
def test_methods_without_memory_are_exported_too(tmp_path: Path, method: str) -> None:
    config = replace(tiny_config(HOPPER), method=method)
    actor = make_markov_policy(config, PolicyStatistics(20.0, 100))
    write_checkpoint(
        tmp_path / "ckpt.pt",
        Checkpoint(config, 3, "", "", actor.statistics, {"targets": [1.0]}, trained_weights(actor), None),
    )
    done = export_policy(tmp_path / "ckpt.pt", tmp_path / "out", "torch")
    assert done.facts["context"] == 1
    assert done.facts["difference"] <= 1e-5


BLOCKED = """
import sys
for name in ("lamo_core", "lamo_tui", "transformers", "peft", "gymnasium", *{blocked!r}):
    sys.modules[name] = None
import numpy as np
from exported_policy import ExportedPolicy
policy = ExportedPolicy()
policy.reset(seed=3)
rng = np.random.default_rng(5)
print([float(np.sum(policy.act(rng.normal(size=11), 0.5))) for _ in range(12)])
"""


@pytest.mark.parametrize("kind", FORMATS)
def test_the_runner_needs_no_lamo(tmp_path: Path, kind: Format) -> None:
    need(kind)
    done = exported(tmp_path, tiny_config(HOPPER), kind)
    code = BLOCKED.format(blocked=["torch"] if kind == "onnx" else ["onnxruntime"])
    played = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=done.folder, capture_output=True, text=True, check=False
    )
    assert played.returncode == 0, played.stderr
    runner, rng = load_runner(done.folder), np.random.default_rng(5)
    runner.reset(seed=3)
    ours = [float(np.sum(runner.act(rng.normal(size=11), 0.5))) for _ in range(12)]
    np.testing.assert_allclose(json.loads(played.stdout), ours, atol=1e-6)


def test_sampled_actions_are_those_of_a_loaded_policy(tmp_path: Path) -> None:
    done = exported(tmp_path, tiny_config(BREAKOUT, action="sample"))
    runner, policy = load_runner(done.folder), lamo.load_policy(tmp_path / "ckpt.pt")
    runner.reset(9.0, seed=11)
    policy.reset(9.0, seed=11)
    rng = np.random.default_rng(0)
    for _ in range(15):
        frame = rng.integers(0, 256, (84, 84), np.uint8)
        reward = float(rng.integers(0, 3))
        assert runner.act(frame, reward) == policy.act(frame, reward)
    assert runner.left == pytest.approx(policy.return_to_go)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_runner_is_short(kind: Format) -> None:
    lines = runner_text(kind).splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 120


def test_the_folder_says_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_checkpoint(tmp_path / "ckpt.pt", tiny_config(BREAKOUT))
    assert run(["export", str(path), "--format", "torch", "--out", str(tmp_path / "out"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    facts = json.loads((tmp_path / "out" / "policy.json").read_text())
    assert printed["task"] == facts["task"] == BREAKOUT
    assert facts["targets"] == [12.0, 6.0]
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "README.md",
        "exported_policy.py",
        "policy.json",
        "policy.pt2",
    }
    card = (tmp_path / "out" / "README.md").read_text()
    assert "random:" in card, "the language model"
    assert "adapters merged" in card
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


@pytest.fixture
def hidden_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "find_spec", lambda name: None)


def test_a_missing_package_is_named_before_anything_is_read(tmp_path: Path, hidden_packages: None) -> None:
    with pytest.raises(MissingError, match=r"onnxruntime.*\[onnx\]"):
        export_policy(tmp_path / "none.pt", tmp_path / "out", "onnx")


def test_a_folder_in_use_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="in use"):
        export_policy(make_checkpoint(tmp_path / "ckpt.pt", tiny_config(HOPPER)), tmp_path / "out", "torch")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_an_export_that_decides_otherwise_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "LARGEST_DIFFERENCE", -1.0)
    with pytest.raises(LamoError, match="decides otherwise"):
        export_policy(make_checkpoint(tmp_path / "ckpt.pt", tiny_config(HOPPER)), tmp_path / "out", "torch")
    assert not (tmp_path / "out").exists()
