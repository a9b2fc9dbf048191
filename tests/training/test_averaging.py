"""The moving average of the weights: what acts and is saved, while training goes on from the newest ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lamo_core.errors import CheckpointError
from lamo_core.training.averaging import WeightAverage
from lamo_core.training.checkpoint import load_policy, read_checkpoint, trained_weights
from lamo_core.training.loop import Requests, training_loop
from lamo_core.training.session import Session, new_session, resume_session
from tests.training.conftest import MakeConfig

CPU = torch.device("cpu")


def train(session: Session, folder: Path, stop_after: int = -1, seen: list[Any] | None = None) -> Session:
    """Train to the end, or to a step; evaluations note the weights that act."""
    requests = Requests()

    def evaluate(session: Session, episodes: int) -> list[Any]:
        assert seen is not None
        seen.append(weights(session))
        raise EvaluationDone

    def save(session: Session, best: bool) -> str:
        session.save(folder / "last.pt")
        return str(folder / "last.pt")

    try:
        for _ in training_loop(session, requests, evaluate, save):
            if session.step == stop_after:
                requests.stop = "test"
    except EvaluationDone:
        pass
    return session


class EvaluationDone(Exception):
    """The evaluation saw what it came for."""


def weights(session: Session) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trained_weights(session.policy).items()}


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_it_is_the_weighted_mean_of_what_was() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(1.0)
    average = WeightAverage(layer, 0.5)
    for step, value in ((100, 3.0), (101, 7.0)):
        layer.weight.data.fill_(value)
        average.update(step)
    with average.applied():
        assert layer.weight.item() == 0.5 * (0.5 * 1.0 + 0.5 * 3.0) + 0.5 * 7.0
    assert layer.weight.item() == 7.0
    with pytest.raises(RuntimeError), average.applied():
        raise RuntimeError
    assert layer.weight.item() == 7.0


def test_early_weights_are_soon_forgotten() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(1000.0)
    average = WeightAverage(layer, 0.999)
    layer.weight.data.fill_(0.0)
    for step in range(1, 40):
        average.update(step)
    with average.applied():
        assert abs(layer.weight.item()) < 0.1


def test_the_average_acts_and_is_saved_and_training_does_not_notice(make_config: MakeConfig, tmp_path: Path) -> None:
    plain = train(new_session(make_config()), tmp_path)
    config = make_config(optim={"ema_decay": 0.9})
    session = train(new_session(config), tmp_path)
    assert same(weights(plain), weights(session))
    assert not same(weights(session), saved := read_checkpoint(tmp_path / "last.pt").weights)
    with session.averaged():
        assert same(weights(session), saved)
    policy, _, _ = load_policy(tmp_path / "last.pt", CPU)
    assert same(trained_weights(policy), saved)
    seen: list[Any] = []
    acting = train(new_session(make_config(optim={"ema_decay": 0.9}, eval={"final_episodes": 1})), tmp_path, seen=seen)
    assert same(seen[0], saved)
    assert same(weights(acting), weights(plain))


def test_a_resumed_run_has_the_average_of_an_uninterrupted_one(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(optim={"ema_decay": 0.9})
    whole = train(new_session(config), tmp_path)
    average = read_checkpoint(tmp_path / "last.pt").weights
    train(new_session(config), tmp_path, stop_after=3)
    torch.manual_seed(99)  # whatever happened to the generators meanwhile must not matter
    parts = train(resume_session(tmp_path / "last.pt"), tmp_path)
    assert same(weights(whole), weights(parts))
    assert same(read_checkpoint(tmp_path / "last.pt").weights, average)


def test_newest_weights_of_another_policy_are_refused(make_config: MakeConfig, tmp_path: Path) -> None:
    train(new_session(make_config(optim={"ema_decay": 0.9})), tmp_path)
    payload = torch.load(tmp_path / "last.pt", weights_only=True)
    newest = payload["training"]["newest_weights"]
    name = next(iter(newest))
    for wrong in ({name: newest[name]}, newest | {name: torch.zeros(3)}, [1, 2], "text"):
        payload["training"]["newest_weights"] = wrong
        torch.save(payload, tmp_path / "wrong.pt")
        with pytest.raises(CheckpointError, match="training state of this checkpoint is damaged"):
            resume_session(tmp_path / "wrong.pt")
