"""`lamo pretrain`: train a small language model from a text file."""

from __future__ import annotations

import re
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lamo_core.errors import STOPPED_RESUMABLE, UsageError
from lamo_core.language.pretrain_events import PretrainConfig, PretrainSaved, PretrainStep, PretrainStopped
from lamo_core.model.hub import shape_of
from lamo_core.places import assets_dir, models_dir
from lamo_core.runs.control import Interrupts
from lamo_core.runs.signals import catch_signals
from lamo_tui.cli.output import console, emit_json, say
from lamo_tui.cli.parameters import finite
from lamo_tui.format import duration

if TYPE_CHECKING:
    from lamo_core.language.pretrain_events import PretrainConfig, PretrainSaved, PretrainStep

PRETRAIN_EPILOG = (
    "Examples:  lamo pretrain books.txt --out models/books   ·   "
    "lamo pretrain --corpus markov --shape mini --states 500 --name mini-chain"
)
_SECONDS_BETWEEN_LINES = 10.0


class Corpus(StrEnum):
    """What is made of the text."""

    text = "text"
    shuffled = "shuffled"
    markov = "markov"


def pretrain(
    text: Annotated[
        Path | None,
        typer.Argument(metavar="TEXT", help="A UTF-8 text file, one paragraph a line; a Markov chain needs none."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder of the model; goes on if it holds a part.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Keep it under this name for model.backbone, not in --out.")] = None,
    corpus: Annotated[
        Corpus,
        typer.Option(
            metavar="text|shuffled|markov", help="The text, its words in random order, or a Markov chain over words."
        ),
    ] = Corpus.text,
    states: Annotated[int, typer.Option(help="Words of the Markov chain.")] = 100,
    shape: Annotated[str | None, typer.Option(help="Take shape and tokenizer of a model, such as mini.")] = None,
    layers: Annotated[int | None, typer.Option(help="Transformer blocks [default: 4].")] = None,
    width: Annotated[int | None, typer.Option(help="Width of the residual stream [default: 256].")] = None,
    heads: Annotated[int | None, typer.Option(help="Attention heads [default: 8].")] = None,
    vocab: Annotated[int, typer.Option(help="Entries of a new byte-level BPE vocabulary.")] = 4096,
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 3_000,
    batch: Annotated[int, typer.Option(help="Rows of a batch.")] = 8,
    sequence: Annotated[
        int | None, typer.Option(help="Tokens of a row, and the most that the model can take [default: 256].")
    ] = None,
    matrix_lr: Annotated[float, typer.Option(callback=finite, help="Learning rate of matrices (Muon).")] = 0.02,
    lr: Annotated[float, typer.Option(callback=finite, help="Learning rate of tables and norms (AdamW).")] = 3e-3,
    seed: Annotated[int, typer.Option(help="Drives first weights and the order of the text.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    time_limit: Annotated[float, typer.Option(callback=finite, help="Minutes it may take; 0 is no limit.")] = 0.0,
    save_every: Annotated[int, typer.Option(help="Steps between checkpoints.")] = 250,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Train a GPT-2-shaped language model with its own tokenizer; Ctrl-C saves, the same command goes on."""
    from lamo_core.training.device import resolve_device

    folder = _folder(out, name)
    given = {"layers": layers, "width": width, "heads": heads, "sequence": sequence}
    chosen = _shape(shape) | {key: value for key, value in given.items() if value is not None}
    config = PretrainConfig(
        **chosen,
        vocabulary=vocab,
        steps=steps,
        batch_size=batch,
        matrix_rate=matrix_lr,
        learning_rate=lr,
        corpus=corpus.value,
        states=states,
        tokenizer=shape or "",
        seed=seed,
        device=str(resolve_device(device)),
        time_limit=time_limit,
        save_every=save_every,
    )
    raise typer.Exit(_run(text, folder, config, as_json))


def _folder(out: Path | None, name: str | None) -> Path:
    """Return where the model is kept; raises `UsageError` unless exactly one of both says it."""
    if (out is None) == (name is None):
        raise UsageError("say where to keep the model, with either --out FOLDER or --name NAME")
    if out is not None:
        return out
    assert name is not None
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UsageError(f"a model's name is of letters, digits, dots and dashes, not {name!r}")
    if (assets_dir() / name).exists():
        raise UsageError(f"a model called {name} ships with lamo and would be taken instead; choose another name")
    return models_dir() / name


def _shape(name: str | None) -> dict[str, int]:
    """Return layers, width, heads and length of a GPT-2-shaped model; raises `UsageError` for another family."""
    if name is None:
        return {}
    shape = shape_of(name)
    if shape["model_type"] != "gpt2":
        raise UsageError(f"{name} is of the family {shape['model_type']!r}; --shape takes GPT-2's, such as mini")
    keys = {"layers": "n_layer", "width": "n_embd", "heads": "n_head", "sequence": "n_positions"}
    return {key: int(shape[there]) for key, there in keys.items()}


def _run(text: Path | None, out: Path, config: PretrainConfig, as_json: bool) -> int:
    """Show the events of a training; returns the exit code."""
    from lamo_core.language.pretrain import pretrain as train

    narrator, shown, step, saved, reason = console(), 0.0, None, None, ""

    def announce(signal: str) -> None:
        narrator.print(f"{signal}: finishing this step and saving; once more leaves at once")

    with catch_signals(Interrupts(), announce=announce, leave=lambda: None) as interrupts:
        for event in train(text, out, config, stop=lambda: interrupts.stop is not None):
            if isinstance(event, PretrainStep):
                step = event
                if time.monotonic() - shown > _SECONDS_BETWEEN_LINES:
                    shown = time.monotonic()
                    narrator.print(_line(event))
            elif isinstance(event, PretrainSaved):
                saved = event
                narrator.print(f"step {event.step}: saved, held-out loss {event.held_out_loss:.3f}")
            elif isinstance(event, PretrainStopped):
                reason = event.reason
    if as_json:
        emit_json(_outcome(reason, step, saved))
    if reason == "stop":
        narrator.print("stopped; the same command goes on from here")
        return STOPPED_RESUMABLE
    if not as_json:
        say(f"{out} is ready; use it with --set model.backbone={_backbone(out)}")
    return 0


def _backbone(folder: Path) -> str:
    """Return what model.backbone calls a folder: a name where a name will do."""
    return folder.name if folder.parent == models_dir() else str(folder)


def _line(step: PretrainStep) -> str:
    left = step.elapsed * (1 - step.progress) / max(step.progress, 1e-9)
    return (
        f"step {step.step}/{step.steps}  {step.progress:.0%}  loss {step.loss:.3f}  "
        f"{step.tokens / step.elapsed:,.0f} tokens/s  {duration(left)} left"
    )


def _outcome(reason: str, step: PretrainStep | None, saved: PretrainSaved | None) -> dict[str, object]:
    return {
        "reason": reason,
        "step": saved.step if saved else 0,
        "folder": str(saved.folder) if saved else None,
        "held_out_loss": saved.held_out_loss if saved else None,
        "tokens_per_second": step.tokens / step.elapsed if step else None,
    }
