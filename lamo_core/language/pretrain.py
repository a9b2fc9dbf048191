"""Pre-training of a small GPT-2-shaped language model from a text file, as a generator of events.

Shape suffixes: B rows of a batch, T tokens of a row, V entries of the vocabulary, D width.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from lamo_core.errors import CheckpointError, LamoError, UsageError
from lamo_core.files import write_atomically, write_bytes
from lamo_core.language.corpora import TokenArray
from lamo_core.language.made_corpora import Corpus, open_corpus, text_hash
from lamo_core.language.model_folder import export_model, language_model
from lamo_core.language.muon import Muon
from lamo_core.language.pretrain_events import (
    PretrainConfig,
    PretrainEvent,
    PretrainSaved,
    PretrainStep,
    PretrainStopped,
)
from lamo_core.settings.strict import check_ranges
from lamo_core.untrusted.plain_text import one_line, shown
from lamo_core.untrusted.tensor_file import load_tensors

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FORMAT = "lamo-pretraining"
TRAINING_FILE = "training.json"
EVALUATION_WINDOWS = 64
"""Windows of held-out text that one measurement reads."""


@dataclass
class _State:
    model: Any
    optimisers: tuple[torch.optim.Optimizer, ...]
    corpus: Corpus
    step: int = 0
    elapsed: float = 0.0


def pretrain(
    text: Path | None, folder: Path, config: PretrainConfig, stop: Callable[[], bool] = lambda: False
) -> Iterator[PretrainEvent]:
    """Train a model on `text` into `folder`, going on from the folder's checkpoint if it has one.

    What is made of the text is said by `config.corpus`; a Markov chain needs none.
    `stop` is asked before every step; when it says true, a checkpoint is saved and training ends. Resuming
    gives the same weights as an uninterrupted run, as long as no time limit is set. Raises `UsageError`
    when the folder holds another training, `MissingError` without the text and `LamoError` when the loss
    stops being finite.
    """
    _check(config)
    state = _prepare(text, folder, config)
    while (progress := _progress(state, config)) < 1.0:
        if stop():
            yield _save(state, config, folder)
            yield PretrainStopped(state.step, "stop")
            return
        yield _train_step(state, config, progress)
        if state.step % config.save_every == 0 and _progress(state, config) < 1.0:
            yield _save(state, config, folder)
    yield _save(state, config, folder)
    yield PretrainStopped(state.step, "finished")


def rate_share(progress: float, warmup: float) -> float:
    """Return the share of the learning rates at a share of the training: up linearly, then down to zero."""
    if progress < warmup:
        return max(progress, 1e-3) / warmup
    return (1.0 - progress) / (1.0 - warmup)


def make_optimisers(model: torch.nn.Module, config: PretrainConfig) -> tuple[torch.optim.Optimizer, ...]:
    """Return Muon for the weight matrices and AdamW for embedding tables, norms and biases."""
    tables = {"transformer.wte.weight", "transformer.wpe.weight"}
    named = list(model.named_parameters())
    matrices = [value for name, value in named if value.ndim == 2 and name not in tables]
    rest = [value for name, value in named if value.ndim != 2 or name in tables]
    return (
        Muon(matrices, lr=config.matrix_rate, weight_decay=config.weight_decay),
        torch.optim.AdamW(rest, lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    )


def training_rows(tokens: TokenArray, config: PretrainConfig, step: int) -> TokenArray:
    """Return the rows (B, T+1) of a step, a pure function of the seed and the step.

    Each pass over the text cuts it into windows at another offset and takes them in another order.
    """
    span = config.sequence
    windows = max(1, (len(tokens) - 1 - span) // span)
    numbers = np.arange(step * config.batch_size, (step + 1) * config.batch_size)
    rows = []
    for epoch in np.unique(numbers // windows):
        generator = np.random.default_rng([config.seed, int(epoch)])
        offset = int(generator.integers(0, max(1, min(span, len(tokens) - span - 1))))
        order = generator.permutation(windows)
        rows.append(order[numbers[numbers // windows == epoch] % windows] * span + offset)
    starts = np.minimum(np.concatenate(rows), len(tokens) - span - 1)
    picked: TokenArray = tokens[starts[:, None] + np.arange(span + 1)]
    return picked


def _check(config: PretrainConfig) -> None:
    check_ranges(config)
    if config.width % config.heads:
        raise UsageError(f"the width {config.width} must be a multiple of the number of heads {config.heads}")


def _prepare(text: Path | None, folder: Path, config: PretrainConfig) -> _State:
    checkpoint, digest = folder / "checkpoint.pt", text_hash(text, config)
    saved = _load_checkpoint(checkpoint, config, digest) if checkpoint.exists() else None
    corpus = open_corpus(text, folder, config, resumed=saved is not None)
    torch.manual_seed(config.seed)
    model = language_model(_shape(config, corpus.tokenizer)).to(config.device)
    state = _State(model, make_optimisers(model, config), corpus)
    if saved is not None:
        _restore(state, saved, checkpoint)
    return state


def _shape(config: PretrainConfig, tokenizer: Tokenizer) -> dict[str, int]:
    return {
        "vocab_size": tokenizer.get_vocab_size(),
        "n_positions": config.sequence,
        "n_embd": config.width,
        "n_layer": config.layers,
        "n_head": config.heads,
    }


def _progress(state: _State, config: PretrainConfig) -> float:
    by_steps = state.step / config.steps
    by_time = state.elapsed / (60.0 * config.time_limit) if config.time_limit else 0.0
    return max(by_steps, by_time)


def _train_step(state: _State, config: PretrainConfig, progress: float) -> PretrainStep:
    started = time.perf_counter()
    share = rate_share(progress, config.warmup)
    for optimiser, rate in zip(state.optimisers, (config.matrix_rate, config.learning_rate), strict=True):
        optimiser.param_groups[0]["lr"] = rate * share
    rows = training_rows(state.corpus.tokens.train, config, state.step)
    loss = window_loss(state.model, torch.from_numpy(rows.astype(np.int64)).to(config.device))
    value = loss.item()
    if not math.isfinite(value):
        raise LamoError(f"the loss is {value} at step {state.step}; train again with a smaller --matrix-lr or --lr")
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.model.parameters(), config.clip)
    for optimiser in state.optimisers:
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    seconds = time.perf_counter() - started
    state.step += 1
    state.elapsed += seconds
    tokens = rows.shape[0] * config.sequence
    return PretrainStep(
        step=state.step,
        steps=config.steps,
        progress=_progress(state, config),
        loss=value,
        learning_rate=config.learning_rate * share,
        tokens=state.step * tokens,
        tokens_per_second=tokens / seconds,
        elapsed=state.elapsed,
    )


def window_loss(model: Any, rows_BT: torch.Tensor) -> torch.Tensor:
    """Return the mean next-token cross-entropy (nats) of rows (B, T+1)."""
    hidden_BTD = model.transformer(rows_BT[:, :-1]).last_hidden_state
    logits_BTV = hidden_BTD @ model.transformer.wte.weight.T
    return F.cross_entropy(logits_BTV.flatten(0, 1), rows_BT[:, 1:].flatten())


@torch.no_grad()
def _held_out_loss(state: _State, config: PretrainConfig) -> float:
    reading = replace(config, batch_size=8)
    count = min(EVALUATION_WINDOWS, (len(state.corpus.tokens.held_out) - 2) // config.sequence)
    state.model.eval()
    losses = []
    for step in range(max(1, count // 8)):
        rows = torch.from_numpy(training_rows(state.corpus.tokens.held_out, reading, step).astype(np.int64))
        losses.append(window_loss(state.model, rows.to(config.device)).item())
    state.model.train()
    return float(np.mean(losses))


def _save(state: _State, config: PretrainConfig, folder: Path) -> PretrainSaved:
    payload = {
        "format": FORMAT,
        "config": asdict(config),
        "text_hash": state.corpus.text_hash,
        "step": state.step,
        "elapsed": state.elapsed,
        "model": state.model.state_dict(),
        "optimisers": [optimiser.state_dict() for optimiser in state.optimisers],
    }
    write_atomically(folder / "checkpoint.pt", lambda file: torch.save(payload, file), "--out FOLDER")
    export_model(state.model, folder)
    held_out = _held_out_loss(state, config)
    facts = {
        "settings": asdict(config),
        "text_sha256": state.corpus.text_hash,
        "corpus_tokens": len(state.corpus.tokens.train),
        "steps": state.step,
        "tokens": state.step * config.batch_size * config.sequence,
        "minutes": round(state.elapsed / 60, 1),
        "held_out_loss": round(held_out, 4),
    }
    write_bytes(folder / TRAINING_FILE, (json.dumps(facts, indent=2) + "\n").encode(), "--out FOLDER")
    return PretrainSaved(state.step, held_out, folder)


_AGAIN = "delete it to train from the start, or choose another --out"


def _load_checkpoint(path: Path, config: PretrainConfig, text_hash: str) -> dict[str, Any]:
    saved = load_tensors(path, _AGAIN)
    if not isinstance(saved, dict) or type(saved.get("format")) is not str or saved["format"] != FORMAT:
        raise CheckpointError(f"{path} is not a checkpoint of `lamo pretrain`; choose another --out")
    kinds = {"config": dict, "text_hash": str, "step": int, "elapsed": float, "model": dict, "optimisers": list}
    for name, kind in kinds.items():
        if not isinstance(saved.get(name), kind):
            raise CheckpointError(f"{path} is damaged: its {name} is none; {_AGAIN}")
    if not (saved["step"] >= 0 and 0 <= saved["elapsed"] < math.inf):
        raise CheckpointError(f"{path} is damaged: it says that it was trained for no time at all; {_AGAIN}")
    if saved["text_hash"] != text_hash:
        raise UsageError(f"{path.parent} holds a training on another text; choose another --out")
    may_differ = {"device", "time_limit", "save_every"}
    for name, value in asdict(config).items():
        there = saved["config"].get(name)
        if name not in may_differ and (not isinstance(there, str | int | float | None) or there != value):
            raise UsageError(
                f"{path.parent} holds a training with {name} {shown(there)}, not {shown(value)}; choose another --out"
            )
    return saved


def _restore(state: _State, saved: dict[str, Any], path: Path) -> None:
    """Go on from a checkpoint; raises `CheckpointError` where its tensors are not those of the model."""
    try:
        state.model.load_state_dict(saved["model"])
        for optimiser, values in zip(state.optimisers, saved["optimisers"], strict=True):
            optimiser.load_state_dict(values)
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"{path} is damaged: {one_line(error)}; {_AGAIN}") from error
    state.step, state.elapsed = saved["step"], saved["elapsed"]
