"""`lamo data`: results on stdout, narration on stderr, JSON alone when asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from lamo_core.data.recipes import mixtures
from lamo_core.data.recipes.mixtures import Mixture
from lamo_core.errors import LamoError, UsageError
from lamo_tui.cli.data.data import app


def _run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, LamoError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def _listed(name: str) -> dict[str, Any]:
    (row,) = [row for row in json.loads(_run("list", "--json").stdout)["sets"] if row["name"] == name]
    return row


def test_list_and_rm(cached_set: str) -> None:
    row = _listed(cached_set)
    assert row["cached_episodes"] == row["episodes"] > 1
    assert cached_set in _run("list").stdout
    assert json.loads(_run("rm", cached_set, "--json").stdout)["freed_bytes"] == row["cached_bytes"]
    assert _listed(cached_set)["cached_episodes"] == 0


def test_show(tiny_set: str) -> None:
    card = json.loads(_run("show", tiny_set, "--json").stdout)
    text = _run("show", tiny_set).stdout
    for word in ("█", "sticky actions 0.25", "licence", "MIT", card["log_sha256"], "ram-2.9M"):
        assert word in text
    assert f"{card['transitions']:,} transitions" in text
    for name in ("returns", "lengths"):
        assert f"{name}   mean {card[name]['mean']:,.5g} ± {card[name]['sd']:,.5g} sd" in text


def test_get_and_verify(tiny_set: str) -> None:
    result = _run("get", tiny_set, "--ratio", "0.2", "--json")
    got = json.loads(result.stdout)
    assert got["episodes"] >= 1
    checked = json.loads(_run("verify", tiny_set, "--json").stdout)
    assert checked["cached_checked"] == got["episodes"]
    assert checked["removed"] == []
    assert "the file is whole" in _run("verify", tiny_set).stdout


def test_collect(tiny_assets: Path, tiny_mixture: Mixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mixtures.MIXTURES, tiny_mixture.name, tiny_mixture)
    command = ("collect", tiny_mixture.name, "--policies", str(tiny_assets), "--out", str(tmp_path), "--json")
    result = json.loads(_run(*command, "--transitions", "50", "--games", "2").stdout)
    assert result["transitions"] == result["new_transitions"] >= 50
    assert (tmp_path / f"{tiny_mixture.name}.lamolog").exists()
    again = json.loads(_run(*command, "--transitions", "50", "--games", "2").stdout)
    assert again["new_episodes"] == 0
    assert again["log_sha256"] == result["log_sha256"]


@pytest.mark.parametrize("shard", ["2/2", "0", "a/b", "-1/2", "1/0"])
def test_bad_shards(tmp_path: Path, shard: str) -> None:
    arguments = ("--policies", str(tmp_path), "--out", str(tmp_path), "--shard", shard)
    with pytest.raises(UsageError, match="I/N"):
        _run("collect", "qbert-medium", *arguments)


def test_unknown_set(tiny_set: str) -> None:
    for command in ("show", "get", "verify", "rm"):
        with pytest.raises(UsageError, match="did you mean 'qbert-medium'"):
            _run(command, "qbert-med")


@pytest.mark.parametrize("command", ["list", "show", "get", "verify", "rm", "collect"])
def test_help_has_examples(command: str) -> None:
    text = _run(command, "--help").stdout
    assert text.count("lamo data") >= 2


def test_vector_sets_are_ready_as_they_are() -> None:
    assert _listed("hopper-medium")["needs_unpacking"] is False
    shown = _run("show", "hopper-medium").stdout
    for word in ("█", "mujoco", "sac sampled", "DLR-RM/rl-trained-agents", "MIT", "6,000,000"):
        assert word in shown
    got = json.loads(_run("get", "hopper-medium", "--ratio", "0.01", "--json").stdout)
    assert got["episodes"] == 2
    assert "the file is whole" in _run("verify", "hopper-medium").stdout
    assert json.loads(_run("rm", "hopper-medium", "--json").stdout)["freed_bytes"] == 0


def test_collect_a_vector_set(tmp_path: Path) -> None:
    pytest.importorskip("mujoco")
    command = ("collect", "reacher2d-mixed", "--out", str(tmp_path), "--transitions", "250", "--json")
    result = json.loads(_run(*command).stdout)
    assert (result["episodes"], result["transitions"]) == (3, 300)
    assert (tmp_path / "reacher2d-mixed.lamovec").exists()
    assert json.loads(_run(*command).stdout)["log_sha256"] == result["log_sha256"]
