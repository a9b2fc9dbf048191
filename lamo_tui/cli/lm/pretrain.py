"""`lamo pretrain`: train a small language model from a text file."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lamo_core.errors import UsageError
from lamo_core.language.pretrain_events import PretrainConfig
from lamo_core.places import assets_dir, models_dir
from lamo_tui.cli.parameters import finite

PRETRAIN_EPILOG = (
    "Examples:  lamo pretrain books.txt --out models/books   ·   "
    "lamo pretrain --corpus markov --shape mini --states 500 --name mini-chain"
)


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
    folder = _folder(out, name)
    given = {"layers": layers, "width": width, "heads": heads, "sequence": sequence}
    config = PretrainConfig(
        vocabulary=vocab,
        steps=steps,
        batch_size=batch,
        matrix_rate=matrix_lr,
        learning_rate=lr,
        corpus=corpus.value,
        states=states,
        tokenizer=shape or "",
        seed=seed,
        device=device,
        time_limit=time_limit,
        save_every=save_every,
    )
    from lamo_tui.cli.lm.pretrain_run import run_pretraining, shaped

    config = shaped(config, shape, {key: value for key, value in given.items() if value is not None})
    raise typer.Exit(run_pretraining(text, folder, config, as_json=as_json))


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
