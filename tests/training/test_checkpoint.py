"""Checkpoints: small, exact, and one sentence for everything that can be wrong with one."""

from __future__ import annotations

import pickle
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lamo_core.config import RunConfig
from lamo_core.errors import CheckpointError, LamoError, MissingError, StorageError, UsageError
from lamo_core.training import checkpoint as module
from lamo_core.training.checkpoint import load_policy, read_checkpoint, write_checkpoint
from lamo_core.training.session import Session, new_session, resume_session
from tests.training.conftest import MakeConfig

CPU = torch.device("cpu")


@pytest.fixture
def session(make_config: MakeConfig) -> Session:
    return new_session(make_config())


@pytest.fixture
def path(session: Session, tmp_path: Path) -> Path:
    session.save(tmp_path / "checkpoint.pt")
    return tmp_path / "checkpoint.pt"


def test_a_loaded_policy_acts_as_the_saved_one(session: Session, path: Path) -> None:
    policy, config, data = load_policy(path, CPU)
    assert config == session.config
    assert data["episodes"] == 3
    batch = session.learner.sampler.sample(3)
    with torch.no_grad():
        assert torch.equal(policy(batch), session.policy.eval()(batch))


def test_a_checkpoint_holds_only_what_was_trained(session: Session, tmp_path: Path) -> None:
    session.save(tmp_path / "acting.pt", training=False)
    trained = sum(p.numel() for p in session.policy.parameters() if p.requires_grad)
    size = (tmp_path / "acting.pt").stat().st_size
    assert size < 4 * trained + 200_000
    names = read_checkpoint(tmp_path / "acting.pt").weights
    assert not any(name.startswith("trunk.") and "lora_" not in name for name in names)


def test_acting_checkpoints_do_not_resume(session: Session, tmp_path: Path) -> None:
    session.save(tmp_path / "acting.pt", training=False)
    with pytest.raises(CheckpointError, match="acting only"):
        resume_session(tmp_path / "acting.pt")


def test_every_cut_and_every_flipped_byte_is_an_error_in_one_line(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    step = len(content) // 12
    broken = [content[:cut] for cut in range(0, len(content), step)]
    for place in range(100, len(content), step):
        flipped = bytearray(content)
        flipped[place] ^= 0xFF
        broken.append(bytes(flipped))
    target = tmp_path / "broken.pt"
    noticed = 0
    for wrong in broken:
        target.write_bytes(wrong)
        try:
            checkpoint = read_checkpoint(target)
        except LamoError as error:
            noticed += "\n" not in str(error)
        else:  # a byte of padding or of the optimiser's state
            assert checkpoint.step == 0
    assert noticed >= len(broken) // 2 + 3


def test_a_changed_weight_does_not_match_the_checksum(path: Path) -> None:
    payload = torch.load(path, weights_only=True)
    payload["weights"]["embed_norm.bias"][0] += 1
    torch.save(payload, path)
    with pytest.raises(CheckpointError, match="checksum"):
        read_checkpoint(path)


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return (print, ("this ran",))


def test_foreign_files_are_refused_and_never_executed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign = tmp_path / "foreign.pt"
    torch.save({"model": torch.zeros(2)}, foreign)
    with pytest.raises(CheckpointError, match="not a lamo checkpoint"):
        read_checkpoint(foreign)
    torch.save({"format": Evil()}, foreign)
    with pytest.raises(CheckpointError, match="more than plain tensors"):
        read_checkpoint(foreign)
    foreign.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(CheckpointError, match="no archive"):
        read_checkpoint(foreign)
    assert "this ran" not in capsys.readouterr().out
    with pytest.raises(UsageError, match="there is no checkpoint"):
        read_checkpoint(tmp_path / "absent.pt")


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"version": 99}, CheckpointError, "format version 99"),
        ({"backbone": {"name": "random:mini", "hash": "0" * 64}}, CheckpointError, "with hash 000000000000"),
        ({"backbone": {"name": "nobody/nothing", "hash": ""}}, MissingError, "nobody/nothing"),
        ({"statistics": {"return_scale": 1.0, "max_timestep": 10**12, "state_mean": [], "state_std": []}},
         CheckpointError, "absurd"),
        ({"statistics": {"return_scale": 1.0, "max_timestep": 9_999_999, "state_mean": [], "state_std": []}},
         CheckpointError, "absurd"),
        ({"step": float("inf")}, CheckpointError, "its step"),
        ({"step": -5}, CheckpointError, "its step"),
        ({"step": 10**30}, CheckpointError, "its step"),
        ({"version": 10**500}, CheckpointError, "not a lamo checkpoint"),
        ({"statistics": {"return_scale": float("nan"), "max_timestep": 9, "state_mean": [], "state_std": []}},
         CheckpointError, "not finite|absurd"),
        ({"data": {}}, CheckpointError, "damaged"),
        ({"version": torch.zeros(2)}, CheckpointError, "not a lamo checkpoint"),
        ({"weights": {"a": torch.zeros(1).expand(10**13)}}, CheckpointError, "larger than its storage"),
        ({"weights": {"a": torch.zeros(10**13, device="meta")}}, CheckpointError, "plain tensors"),
        ({"weights": {"a": torch.zeros(2).to_sparse()}}, CheckpointError, "plain tensors"),
        ({"config": {"optim": {"stepz": 3}}}, CheckpointError, "another version of lamo: .*stepz"),
        ({"weights": {}, "digest": module._digest({})}, CheckpointError, "does not fit"),
    ],
)  # fmt: skip
def test_what_does_not_fit_says_so(path: Path, changes: dict[str, Any], error: type[LamoError], says: str) -> None:
    payload = torch.load(path, weights_only=True) | changes
    torch.save(payload, path)
    with pytest.raises(error, match=says):
        load_policy(path, CPU)


@pytest.mark.parametrize(
    ("method", "group", "name", "value"),
    [("bc", "markov", "width", 8192), ("cql", "value", "quantiles", 10_000), ("lamo", "model", "lora_rank", 4096)],
)
def test_a_config_that_asks_for_more_than_the_file_holds_is_refused_before_anything_is_built(
    make_config: MakeConfig, tmp_path: Path, method: str, group: str, name: str, value: int
) -> None:
    path = tmp_path / "small.pt"
    config = RunConfig.from_dict(make_config().to_dict() | {"method": method})
    new_session(config).save(path, training=False)
    payload = torch.load(path, weights_only=True)
    payload["config"][group][name] = value
    torch.save(payload, path)
    begin = time.process_time()
    with pytest.raises(CheckpointError, match="does not fit the model of its config"):
        load_policy(path, CPU)
    assert time.process_time() - begin < 2


@pytest.mark.parametrize("name", ["name", "hash"])
def test_a_name_that_is_no_text_is_damage(path: Path, name: str) -> None:
    payload = torch.load(path, weights_only=True)
    for value in (["x"] * 1000, "\x1b]0;x\x07", "x" * 10**6, 3):
        payload["backbone"][name] = value
        torch.save(payload, path)
        with pytest.raises(CheckpointError, match="is damaged"):
            read_checkpoint(path)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("statistics", "return_scale", 0.0),
        ("statistics", "return_scale", float("nan")),
        ("statistics", "state_mean", [float("inf")]),
        ("statistics", "state_std", [0.0]),
        ("data", "targets", []),
        ("data", "targets", "abc"),
        ("data", "targets", [10**400]),
        ("data", "targets", [float("nan")]),
        ("data", "return_mean", None),
        ("data", "return_mean", "x"),
    ],
)
def test_numbers_that_play_cannot_rest_on_are_damage(path: Path, part: str, name: str, value: object) -> None:
    payload = torch.load(path, weights_only=True)
    payload[part][name] = value
    torch.save(payload, path)
    with pytest.raises(CheckpointError, match="is damaged"):
        read_checkpoint(path)


def test_an_archive_that_unpacks_to_more_than_it_holds_is_not_opened(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {part.filename: archive.read(part) for part in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        archive.writestr("archive/data/zeros", bytes(2**24))
    with pytest.raises(CheckpointError, match="more than it holds"):
        read_checkpoint(path)


@pytest.mark.parametrize("name", ["best_return", "evaluated_step", "optimiser"])
def test_a_damaged_training_state_says_so(path: Path, name: str) -> None:
    payload = torch.load(path, weights_only=True)
    payload["training"][name] = {"optimiser": [], "evaluated_step": float("inf"), "best_return": "x"}[name]
    torch.save(payload, path)
    with pytest.raises(CheckpointError, match="training state"):
        resume_session(path)


def test_a_full_disk_keeps_the_old_checkpoint(session: Session, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lamo_core.files.os.fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write_checkpoint(path, replace(session.checkpoint(), step=5))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
