"""Policies on the hub: pushed, found again, and harmless when a stranger made them."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import metadata_load
from huggingface_hub.repocard_data import model_index_to_eval_results

import lamo_core as lamo
from lamo_core.errors import CheckpointError, MissingError, UsageError
from lamo_core.exchange.policy_repository import check_facts, fetch_policy, means_repository, parse_repository
from lamo_core.exchange.push import push_run
from lamo_core.player.sources import find_source
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.manage import find_checkpoint
from lamo_core.runs.writer import RunWriter
from lamo_core.training.checkpoint import load_policy, read_checkpoint
from lamo_core.training.events import EvalDone
from lamo_tui.cli.app import run as command
from tests.exchange.fake_hub import Hub, fake_hub
from tests.player.tiny import make_run, tiny_config
from tests.runs.run_doubles import score, started

REPOSITORY = "somebody/hopper"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """Run a hub, and let the client know no other."""
    with fake_hub() as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        monkeypatch.setattr(
            "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
            hub.url + "/{repo_id}/resolve/{revision}/{filename}",
        )
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path / "hub"), raising=False)
        monkeypatch.setenv("HF_TOKEN", "hf_test")
        yield hub


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Return a run with a checkpoint, a recorded episode and an evaluation of these weights."""
    config = tiny_config("mujoco-hopper")
    config = config.from_dict({**config.to_dict(), "model": {**config.to_dict()["model"], "backbone": "random:mini"}})
    made = make_run(tmp_path / "runs", config)
    with RunWriter(made) as writer:
        writer.write(started())
        writer.write(EvalDone(3, 1.0, scores=(score([100.0, 300.0]),), seconds=0.5, final=True))
    return made


def test_what_is_pushed_plays_elsewhere_as_it_did_here(hub: Hub, run: RunDirectory) -> None:
    pytest.importorskip("mujoco")
    done = push_run(run, REPOSITORY, private=True, film=False)
    assert hub.private == {REPOSITORY: True}
    assert set(hub.repositories[REPOSITORY]) >= {"README.md", "lamo.json", "lamo.pt"}
    assert done.url == f"{hub.url}/{REPOSITORY}"
    here, there = lamo.load_policy(run.last_checkpoint), lamo.load_policy(REPOSITORY)
    for policy in (here, there):
        policy.reset(100.0)
    rng = np.random.default_rng(0)
    for _ in range(8):
        seen = rng.normal(size=11).astype(np.float32)
        np.testing.assert_array_equal(here.act(seen), there.act(seen))
    assert read_checkpoint(find_checkpoint(REPOSITORY)).training is None
    assert find_source(f"hub:{REPOSITORY}") == find_checkpoint(REPOSITORY)


def test_the_card_is_one_that_the_hub_understands(hub: Hub, run: RunDirectory, tmp_path: Path) -> None:
    push_run(run, REPOSITORY, film=False)
    card = tmp_path / "README.md"
    card.write_bytes(hub.repositories[REPOSITORY]["README.md"])
    metadata = metadata_load(card)
    assert metadata is not None
    name, (result,) = model_index_to_eval_results(metadata["model-index"])
    assert name == run.id
    assert result.dataset_type == "mujoco-hopper"
    assert result.metric_value.startswith("200.00 +/- ")
    facts = check_facts(json.loads(hub.repositories[REPOSITORY]["lamo.json"]))
    assert facts["scores"][0]["mean"] == 200.0
    assert facts["command"] == ["lamo", "train"]
    assert f"lamo eval {REPOSITORY}" in card.read_text()
    assert str(run.path.parent) not in card.read_text() + json.dumps(facts)


def test_the_commands_push_and_play(hub: Hub, run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("mujoco")
    assert command(["push", str(run.path), REPOSITORY, "--no-film", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["repository"] == REPOSITORY
    assert command(["eval", REPOSITORY, "--episodes", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == 3


def test_a_film_of_an_episode_goes_along(hub: Hub, run: RunDirectory) -> None:
    pytest.importorskip("mujoco")
    pytest.importorskip("PIL")
    assert push_run(run, REPOSITORY).note == ""
    files = hub.repositories[REPOSITORY]
    assert files["replay.gif"].startswith(b"GIF89a")
    assert b"](replay.gif)" in files["README.md"]


def test_what_was_fetched_once_plays_without_a_network(
    hub: Hub, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    push_run(run, REPOSITORY, film=False)
    first = fetch_policy(REPOSITORY)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert fetch_policy(REPOSITORY) == first
    with pytest.raises(MissingError, match="check the network"):
        fetch_policy("somebody/else")


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (self.path,))  # type: ignore[return-value]


def hostile(hub: Hub, **files: bytes) -> None:
    hub.repositories[REPOSITORY] = {name.replace("_", "."): content for name, content in files.items()}
    hub.private[REPOSITORY] = False


def test_a_pickle_in_a_repository_is_not_run(hub: Hub, run: RunDirectory, tmp_path: Path) -> None:
    push_run(run, REPOSITORY, film=False)
    files, mark = hub.repositories[REPOSITORY], tmp_path / "ran"
    content = pickle.dumps(Bomb(mark))
    facts = json.loads(files["lamo.json"])
    facts["checkpoint_sha256"] = hashlib.sha256(content).hexdigest()
    files["lamo.pt"], files["lamo.json"] = content, json.dumps(facts).encode()
    with pytest.raises(CheckpointError):
        load_policy(fetch_policy(REPOSITORY), torch.device("cpu"))
    assert not mark.exists()


def test_a_repository_writes_into_the_hubs_cache_alone(hub: Hub, run: RunDirectory, tmp_path: Path) -> None:
    push_run(run, REPOSITORY, film=False)
    hub.repositories[REPOSITORY] |= {"../../evil.py": b"x", "setup.py": b"x", "lamo_core/__init__.py": b"x"}
    before = {path for path in tmp_path.rglob("*") if "hub" not in path.parts}
    fetch_policy(REPOSITORY)
    assert {path for path in tmp_path.rglob("*") if "hub" not in path.parts} == before
    got = {path.name for path in (tmp_path / "hub").rglob("*") if path.is_symlink()}
    assert got <= {"lamo.pt", "lamo.json"}
    assert not any(word.endswith(".py") for word in hub.requests)


@pytest.mark.parametrize(
    "facts",
    [b"", b"[]", b"{", b"{}", b'{"format": "lamo-policy-repository", "version": 2}', b"\xff" * 40, b"[" * 100_000],
)
def test_facts_that_are_none_are_refused(hub: Hub, facts: bytes) -> None:
    hostile(hub, lamo_json=facts, lamo_pt=b"x")
    with pytest.raises(CheckpointError, match=r"no policy of `lamo push`"):
        fetch_policy(REPOSITORY)


def test_another_checkpoint_than_told_of_is_refused(hub: Hub, run: RunDirectory) -> None:
    push_run(run, REPOSITORY, film=False)
    hub.repositories[REPOSITORY]["lamo.pt"] += b"x"
    with pytest.raises(CheckpointError, match="damaged"):
        fetch_policy(REPOSITORY)


def test_a_file_of_absurd_size_is_not_fetched(hub: Hub) -> None:
    hostile(hub, lamo_json=b"{}", lamo_pt=b"x")
    hub.sizes["lamo.pt"] = 1 << 40
    with pytest.raises(CheckpointError, match="1,099,511,627,776 bytes"):
        fetch_policy(REPOSITORY)
    assert not any("resolve" in request for request in hub.requests)


def test_a_model_of_another_kind_is_told_from_a_policy(hub: Hub) -> None:
    hostile(hub, config_json=b"{}", model_safetensors=b"x")
    with pytest.raises(CheckpointError, match=r"holds no lamo\.json"):
        fetch_policy(REPOSITORY)


def test_what_is_not_there_or_not_allowed_is_said(hub: Hub, run: RunDirectory) -> None:
    with pytest.raises(MissingError, match="no policy to be had at somebody/nothing"):
        fetch_policy("somebody/nothing")
    hub.refused = True
    with pytest.raises(MissingError, match="hf auth login"):
        push_run(run, REPOSITORY, film=False)


def test_a_policy_whose_language_model_only_lies_here_is_not_pushed(tmp_path: Path) -> None:
    mine = make_run(tmp_path / "own", tiny_config("mujoco-hopper"))
    with pytest.raises(UsageError, match="lamo export"):
        push_run(mine, REPOSITORY, film=False)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("owner/name", ("owner/name", None)),
        ("hub:owner/name@v1.0", ("owner/name", "v1.0")),
        ("owner", None),
        ("owner/name/more", None),
        ("../name", None),
        ("owner/..", None),
        ("owner/na me", None),
        ("/owner/name", None),
        ("owner/name@../x", None),
    ],
)
def test_names_of_repositories(text: str, named: tuple[str, str | None] | None) -> None:
    assert parse_repository(text) == named


def test_a_folder_here_comes_before_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert means_repository("runs/mine")
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    assert not means_repository("runs/mine")
    assert not means_repository("runs/misspelt"), "the folder is here"
    assert means_repository("hub:runs/misspelt")
    with pytest.raises(UsageError):
        find_checkpoint("runs/mine")
