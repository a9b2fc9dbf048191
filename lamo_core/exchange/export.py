"""Export of a policy into a folder that plays without lamo: graph, facts, runner and card."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lamo_core.config import RunConfig
from lamo_core.errors import LamoError, MissingError, StorageError, UsageError
from lamo_core.evaluation.contexts import Actor, make_context, played_mode
from lamo_core.evaluation.rollout_spec import action_chances
from lamo_core.exchange.decision_graph import INPUTS, OUTPUTS, DecisionGraph
from lamo_core.exchange.export_card import card_text
from lamo_core.exchange.runner_text import FACTS_FILE, MODEL_FILES, RUNNER_FILE, Format, runner_text
from lamo_core.files import scratch_folder
from lamo_core.install_hint import hint
from lamo_core.training.checkpoint import build_policy, read_checkpoint
from lamo_core.version import __version__

PACKAGES: dict[Format, tuple[str, ...]] = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "torch": ()}
"""What a format needs and does not come with lamo."""
LARGEST_DIFFERENCE = 1e-4
"""Between the export's probabilities or action values and the policy's; beyond it nothing is written."""
_OUT = "--out FOLDER"


@dataclass(frozen=True)
class Exported:
    """What was written."""

    folder: Path
    facts: dict[str, Any]
    """Those of policy.json."""


def export_policy(checkpoint: Path, folder: Path, kind: Format) -> Exported:
    """Write a checkpoint's policy into a new folder, after playing it there and comparing its decisions.

    Raises `UsageError` (the folder is in use), `MissingError` (a package or the language model), `CheckpointError`,
    `LamoError` (the policy cannot be exported, or would decide otherwise) or `StorageError`.
    """
    require_packages(kind)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is in use; name a folder that is empty or not there with {_OUT}")
    read = read_checkpoint(checkpoint)
    policy, _ = build_policy(read, torch.device("cpu"))
    facts = _facts(policy.eval(), read.config, kind) | {
        "made_by": f"lamo {__version__}",
        "method": read.config.method,
        "step": read.step,
        "backbone": {"name": read.backbone_name, "hash": read.backbone_hash},
        "checkpoint_sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        "targets": read.data["targets"],
        "data": {name: value for name, value in read.data.items() if name != "targets"},
    }
    try:
        with scratch_folder(folder.absolute().parent) as scratch:
            _write_model(DecisionGraph(policy), scratch / MODEL_FILES[kind], kind)
            (scratch / RUNNER_FILE).write_text(runner_text(kind))
            _write_facts(scratch, facts)
            facts["difference"] = _checked(scratch, policy, facts)
            _write_facts(scratch, facts)
            (scratch / "README.md").write_text(card_text(facts))
            os.replace(scratch, folder)
            scratch.mkdir()  # what is deleted at the end is another one
    except OSError as error:
        raise StorageError(
            f"could not write {folder}: {error.strerror or error}; free space or choose another place with {_OUT}"
        ) from error
    return Exported(folder, facts)


def require_packages(kind: Format) -> None:
    """Raise `MissingError` where a format's packages are not installed."""
    missing = [name for name in PACKAGES[kind] if find_spec(name) is None]
    if missing:
        raise MissingError(f"{kind} needs {' and '.join(missing)}; install with: {hint('onnx')}")


def _facts(policy: Actor, config: RunConfig, kind: Format) -> dict[str, Any]:
    """Return what the runner and a reader need to know."""
    graph_inputs = DecisionGraph(policy).example()
    task, discrete = policy.task, policy.task.action_kind == "discrete"
    steps = len(graph_inputs[0])
    mode = played_mode(config.eval.context, policy)
    inputs = {
        name: (list(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in zip(INPUTS[:-1], graph_inputs[:-1], strict=True)
    }
    return {
        "format": "lamo-policy",
        "version": 1,
        "runtime": kind,
        "task": task.name,
        "title": task.title,
        "observation": task.observation,
        "observation_parts": [asdict(part) for part in task.parts],
        "selection": list(task.selection),
        "frames": task.observation == "frames",
        "discrete": discrete,
        "first_action": task.first_action,
        "action_names": list(task.action_names),
        "action": config.eval.action if discrete else "greedy",
        "context": steps,
        "kept": max(1, steps // 2) if mode == "chunked" else steps,
        "rewards": config.paid,
        "seed": config.eval.seed,
        "inputs": inputs,
    }


def _write_facts(folder: Path, facts: dict[str, Any]) -> None:
    (folder / FACTS_FILE).write_text(json.dumps(facts, indent=1, default=str) + "\n")


def _write_model(graph: DecisionGraph, path: Path, kind: Format) -> None:
    example = graph.example()
    try:
        with torch.no_grad(), _quiet():
            graph(*example)  # what is made at first use is made outside of the graph
            program = torch.export.export(graph, example)
            if kind == "torch":
                torch.export.save(program, path)
                return
            made = torch.onnx.export(
                program, dynamo=True, input_names=list(INPUTS), output_names=list(OUTPUTS), verbose=False
            )
            assert made is not None
            made.save(path)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # of whatever a trunk does that the exporter does not know
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
        family = graph.policy.trunk.__class__.__name__ if hasattr(graph.policy, "trunk") else "this policy"
        raise LamoError(f"PyTorch {torch.__version__} cannot export {family} to {kind}: {first}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' remarks on themselves away from the user."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _checked(folder: Path, policy: Actor, facts: dict[str, Any]) -> float:
    """Play the export beside the policy on noise, past the end of a context; return the largest difference."""
    difference = compare(load_runner(folder), policy, facts, decisions=2 * facts["context"] + 2)
    if not difference <= LARGEST_DIFFERENCE:
        raise LamoError(
            f"the exported policy decides otherwise than the checkpoint (by up to {difference:.2g}), so it was not "
            "kept; report this with `lamo doctor --json`"
        )
    return difference


def load_runner(folder: Path) -> Any:
    """Return the exported policy of a folder that this process has written."""
    spec = spec_from_file_location("lamo_exported_policy", folder / RUNNER_FILE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    with _quiet():
        spec.loader.exec_module(module)
        return module.ExportedPolicy(folder)


def compare(runner: Any, policy: Actor, facts: dict[str, Any], decisions: int) -> float:
    """Return the largest difference of probabilities or action values over an episode of made observations."""
    rng, steps = np.random.default_rng(0), facts["context"]
    context = make_context("sliding" if facts["kept"] == steps else "chunked", policy)
    target, frames = float(facts["targets"][0]), np.zeros((1, 4, 84, 84), np.uint8)
    runner.reset(target)
    left, previous, worst, reward = target, None, 0.0, 0.0
    for _ in range(decisions):
        seen = _observation(policy, rng)
        if facts["frames"]:
            frames = np.concatenate([frames[:, 1:], seen[None, None]], axis=1)
        action = runner.act(seen, reward)
        with torch.inference_mode():
            out_A = context.decide(
                torch.from_numpy(frames.copy() if facts["frames"] else seen[None]),
                torch.tensor([left / policy.return_scale], dtype=torch.float32),
                previous,
            )[0].numpy()
        ours_A = action_chances(out_A[None])[0] if facts["discrete"] else np.clip(out_A, -1.0, 1.0)
        difference = float(np.abs(ours_A - runner.decision).max())
        worst = difference if math.isnan(difference) else max(worst, difference)
        done: Any = action - facts["first_action"] if facts["discrete"] else runner.decision
        previous = torch.from_numpy(np.asarray(done)[None])
        reward = float(rng.integers(-1, 2))
        left -= reward
    return worst


def _observation(policy: Actor, rng: np.random.Generator) -> NDArray[Any]:
    """Return a frame of noise, or a vector of the data's size and spread."""
    task, statistics = policy.task, policy.statistics
    if task.observation == "frames":
        return rng.integers(0, 256, (84, 84), np.uint8)
    noise = rng.normal(size=task.observation_shape)
    mean, std = statistics.state_mean or (0.0,), statistics.state_std or (1.0,)
    return np.asarray(noise * np.array(std) + np.array(mean), np.float32)
