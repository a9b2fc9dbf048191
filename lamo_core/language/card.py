"""The card of a pre-trained model: what it is, what it read, how well it predicts text."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lamo_core.errors import MissingError
from lamo_core.files import write_bytes
from lamo_core.language.corpora import read_text
from lamo_core.language.made_corpora import markov_entropy
from lamo_core.language.perplexity import METHOD, Perplexity, measure
from lamo_core.language.pretrain import TRAINING_FILE
from lamo_core.model.backbone import Backbone, load_backbone
from lamo_core.model.folder import model_text
from lamo_core.model.hub import read_config
from lamo_core.untrusted.parsing import parse_json

CARD_FILE = "card.json"


def write_card(
    folder: Path, trained_on: Path | None, tests: list[Path], corpus: Path | None, note: str = ""
) -> dict[str, Any]:
    """Measure a folder of `lamo pretrain` on test texts and write its card.json; returns the card.

    `corpus` is a text file that says what was read: its first line a description, each further line a title;
    `trained_on` adds n-grams counted on that text, `note` is what else a reader should know of the training. Raises
    `MissingError` for a folder without training facts.
    """
    facts = _training_facts(folder)
    backbone = load_backbone(str(folder))
    backbone.name = folder.resolve().name
    config = read_config(str(folder), folder)
    lines = read_text(corpus).splitlines() if corpus else [""]
    card = {
        "name": backbone.name,
        "licence": "MIT",
        "architecture": {
            "family": backbone.family,
            "layers": backbone.layers,
            "width": backbone.width,
            "heads": config["n_head"],
            "positions": backbone.positions,
            "vocabulary": config["vocab_size"],
            "parameters": sum(parameter.numel() for parameter in backbone.model.parameters()),
            "weights": config.get("weights", config.get("dtype", "float32")),
            "sha256": backbone.content_hash,
        },
        "corpus": {
            "description": lines[0],
            "titles": [line for line in lines[1:] if line.strip()],
            "sha256": facts["text_sha256"],
            "tokens": facts["corpus_tokens"],
            **_entropy(facts["settings"]),
        },
        "training": {
            "note": note,
            **{key: facts[key] for key in ("steps", "tokens", "held_out_loss", "settings")},
        },
        "perplexity": {
            "method": METHOD,
            "texts": [_measured(backbone, test, trained_on) for test in tests],
        },
    }
    write_bytes(folder / CARD_FILE, (json.dumps(card, indent=2) + "\n").encode(), "--out FOLDER")
    return card


def measure_named(name: str, text: Path, trained_on: Path | None = None) -> dict[str, Any]:
    """Return a model's perplexities on a text, beside n-grams' of the training text, and how they were measured.

    Raises `MissingError` and as `load_backbone` does.
    """
    found = measure(load_backbone(name), text, trained_on)
    return {"text": str(text), "method": METHOD, "models": rounded(found)}


def rounded(results: dict[str, Perplexity]) -> dict[str, dict[str, float]]:
    """Return perplexities for people and for JSON: by model, per token and per word."""
    return {
        name: {"per_token": round(result.per_token, 2), "per_word": round(result.per_word, 1)}
        for name, result in results.items()
    }


def _measured(backbone: Backbone, test: Path, trained_on: Path | None) -> dict[str, Any]:
    results = measure(backbone, test, trained_on)
    one = next(iter(results.values()))
    digest = hashlib.sha256(test.read_bytes()).hexdigest()
    return {"text": test.name, "sha256": digest, "tokens": one.tokens, "words": one.words, "models": rounded(results)}


def _entropy(settings: dict[str, Any]) -> dict[str, float]:
    """Return the nats a word of a Markov chain, which its model's held-out loss can be held against."""
    if settings.get("corpus") != "markov":
        return {}
    return {"entropy": round(markov_entropy(settings["states"], settings["seed"]), 4)}


def _training_facts(folder: Path) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = parse_json(model_text(folder, TRAINING_FILE) or "")
    except (OSError, ValueError) as error:
        raise MissingError(
            f"{folder} has no readable {TRAINING_FILE}; only folders of `lamo pretrain` get a card"
        ) from error
    return facts
