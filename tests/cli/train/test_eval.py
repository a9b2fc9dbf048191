"""`lamo eval` on a small real checkpoint: the table, the JSON, and one sentence for everything that goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import typer
from click.testing import Result
from typer.testing import CliRunner

from lamo_core.config import RunConfig
from lamo_core.errors import (
    CheckpointError,
    DeviceError,
    LamoError,
    MissingError,
    StorageError,
    UsageError,
)
from lamo_core.model.backbone import load_backbone
from lamo_core.model.lora.adapters import adapt
from lamo_core.model.policy import Policy, PolicyStatistics
from lamo_core.runs.manage import find_checkpoint
from lamo_core.tasks.registry import get_task
from lamo_core.training.checkpoint import Checkpoint, read_checkpoint, trained_weights, write_checkpoint
from lamo_tui.cli.train.eval import eval as eval_command

Run = Callable[..., Result]

TINY = {"model_type": "gpt2", "vocab_size": 8, "n_positions": 64, "n_embd": 16, "n_layer": 1, "n_head": 2}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of an untrained policy whose Breakout episodes are cut after 12 decisions."""
    folder = tmp_path_factory.mktemp("eval")
    (folder / "tiny").mkdir()
    (folder / "tiny" / "config.json").write_text(json.dumps(TINY))
    config = RunConfig.from_dict(
        {
            "task": {"max_steps": 12},
            "model": {"backbone": f"random:{folder / 'tiny'}", "context": 4, "lora_rank": 2},
            "eval": {"context": "chunked", "seed": 500},
        }
    )
    backbone = load_backbone(config.model.backbone, seed=config.seed)
    adapt(backbone, "lora", rank=2, alpha=config.model.lora_alpha)
    policy = Policy(get_task("atari-breakout"), backbone, config.model, PolicyStatistics(50.0, 100))
    path = folder / "ckpt.pt"
    write_checkpoint(
        path,
        Checkpoint(
            config=config,
            step=7,
            backbone_name=backbone.name,
            backbone_hash=backbone.content_hash,
            statistics=policy.statistics,
            data={"set": "toy", "ratio": 0.01, "episodes": 3, "return_mean": 20.0, "targets": [40.0, 30.0]},
            weights=trained_weights(policy),
            training=None,
        ),
    )
    return path


@pytest.fixture
def run() -> Run:
    app = typer.Typer(rich_markup_mode=None)
    app.command("eval")(eval_command)

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return invoke


def refused(result: Result, kind: type[LamoError]) -> str:
    """Return the sentence of the error that a command ended with."""
    assert isinstance(result.exception, kind), result.output + repr(result.exception)
    assert result.stdout == ""
    text = str(result.exception)
    assert "\n" not in text
    return text


def test_table_names_policy_random_play_and_data(run: Run, checkpoint: Path) -> None:
    result = run(checkpoint, "--episodes", 2, "--device", "cpu")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert " ".join(lines[0].split()) == ("target episodes return 95 % interval score length steps/s context")
    assert [line.split()[:3] for line in lines[1:3]] == [["policy", "40", "2"], ["policy", "30", "2"]]
    assert lines[1].split()[-1] == "chunked"
    assert lines[3].startswith("random play")
    assert "1.7" in lines[3]
    assert lines[4].startswith("data (toy, 1 %)")
    assert "20.0" in lines[4]
    assert "60.8" in lines[4]  # (20 - 1.7) / (31.8 - 1.7)


def test_json_is_one_object_and_repeats_exactly(run: Run, checkpoint: Path) -> None:
    arguments = (checkpoint, "--json", "--episodes", 2, "--target", "-5,90.5", "--device", "cpu")
    report, again = (json.loads(run(*arguments).stdout) for _ in range(2))
    assert [score["target"] for score in report["scores"]] == [-5.0, 90.5]
    assert [score["returns"] for score in report["scores"]] == [score["returns"] for score in again["scores"]]
    for score in report["scores"]:
        assert score["lengths"] == [12, 12]
        low, high = score["low"], score["high"]
        assert (low is None and high is None) == (len(set(score["returns"])) == 1)
        assert low is None or low <= score["mean"] <= high
        assert (score["context"], score["action"]) == ("chunked", "sample")
    assert (report["step"], report["agreement"], report["video"]) == (7, None, None)
    assert report["data"]["return_mean"] == 20.0


def test_both_contexts_play_and_say_how_far_they_agree(run: Run, checkpoint: Path) -> None:
    arguments = (checkpoint, "--context", "both", "--episodes", 2, "--target", 40, "--action", "greedy")
    report = json.loads(run(*arguments, "--json", "--device", "cpu").stdout)
    assert [score["context"] for score in report["scores"]] == ["sliding", "chunked"]
    assert {score["action"] for score in report["scores"]} == {"greedy"}
    assert report["agreement"]["decisions"] == 24
    assert 0.0 < report["agreement"]["same_action"] <= 1.0
    text = run(*arguments, "--device", "cpu").stdout
    assert "over 24 decisions of the sliding episodes, sliding and chunked have the same likeliest" in text


def test_video_shows_an_episode(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    path = tmp_path / "new" / "a.gif"
    result = run(checkpoint, "--episodes", 1, "--video", path, "--device", "cpu", "--json")
    assert json.loads(result.stdout)["video"] == str(path)
    assert path.read_bytes()[:4] == b"GIF8"
    assert "median episode" in result.stderr


def test_files_that_are_no_checkpoint(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    assert "there is no checkpoint" in refused(run(tmp_path / "none.pt"), UsageError)
    whole = checkpoint.read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    assert "cut" in refused(run(tmp_path / "cut.pt"), CheckpointError)
    torch.save({"weights": torch.zeros(2)}, tmp_path / "foreign.pt")
    assert "not a lamo checkpoint" in refused(run(tmp_path / "foreign.pt"), CheckpointError)
    (tmp_path / "text.pt").write_text("hello")
    refused(run(tmp_path / "text.pt"), CheckpointError)


def test_backbone_that_is_missing_or_another(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    good = read_checkpoint(checkpoint)
    other = tmp_path / "other.pt"
    write_checkpoint(other, replace(good, backbone_hash="0" * 64))
    assert "hash" in refused(run(other), CheckpointError)
    write_checkpoint(other, replace(good, backbone_name="distilgpt2"))
    refused(run(other), MissingError)


def test_arguments_are_checked_before_anything_is_played(
    run: Run, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*arguments: object, **named: object) -> None:
        raise AssertionError("it played")

    monkeypatch.setattr("lamo_tui.cli.train.eval_play.evaluate", never)
    for text in ("nan", "inf", "abc", "1,", ""):
        assert "--target wants" in refused(run(checkpoint, "--target", text), UsageError)
    assert ".gif or .mp4" in refused(run(checkpoint, "--video", tmp_path / "a.avi"), UsageError)
    (tmp_path / "file").write_text("")
    assert "--video FILE" in refused(run(checkpoint, "--video", tmp_path / "file" / "a.gif"), StorageError)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "no CUDA device" in refused(run(checkpoint, "--device", "cuda"), DeviceError)
    assert run(checkpoint, "--episodes", 0).exit_code == 2
    assert run(checkpoint, "--context", "nonsense").exit_code == 2


def test_run_names_lead_to_their_newest_checkpoint(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMO_RUNS", str(tmp_path))
    with pytest.raises(UsageError, match="there are no runs"):
        find_checkpoint("last")
    folder = tmp_path / "20260101-000000-atari-breakout-s0-abcd"
    folder.mkdir()
    (folder / "run.json").write_text("{}")
    with pytest.raises(UsageError, match="has no checkpoint; take another run"):
        find_checkpoint("last")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.pt").write_bytes(checkpoint.read_bytes())
    assert find_checkpoint("last") == folder / "checkpoints" / "last.pt"
    assert find_checkpoint("abcd") == folder / "checkpoints" / "last.pt"
    assert find_checkpoint(str(checkpoint)) == checkpoint
