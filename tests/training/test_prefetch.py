"""Sampling ahead: the same batches, and the state of the one that was handed out."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from lamo_core.data.windows import WindowBatch
from lamo_core.engine.engine import save_checkpoint
from lamo_core.training import sequence_learner
from lamo_core.training.loop import Requests, training_loop
from lamo_core.training.prefetch import Prefetcher
from lamo_core.training.session import Session, new_session, resume_session
from tests.model.host_reads import NoHostReads
from tests.training.conftest import MakeConfig
from tests.training.test_loop import losses


def sampler_of(make_config: MakeConfig) -> Any:
    return new_session(make_config()).learner.sampler  # type: ignore[attr-defined]


def same(left: WindowBatch, right: WindowBatch) -> bool:
    pairs = [(getattr(left, field.name), getattr(right, field.name)) for field in fields(left)]
    return all((a is None) == (b is None) and (a is None or torch.equal(a, b)) for a, b in pairs)


def test_batches_and_states_are_those_of_the_sampler_itself(make_config: MakeConfig) -> None:
    plain, ahead = sampler_of(make_config), Prefetcher(sampler_of(make_config), pinned=False)
    assert ahead.state_dict() == plain.state_dict()
    for size in (3, 3, 2, 2, 3):
        assert same(ahead.sample(size), plain.sample(size))
        assert ahead.state_dict() == plain.state_dict()
    kept = ahead.state_dict()
    expected = ahead.sample(3)
    ahead.sample(3)
    ahead.load_state_dict(kept)
    assert same(ahead.sample(3), expected)
    ahead.close()


def test_what_fails_ahead_fails_where_it_is_asked_for(make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = sampler_of(make_config)
    ahead, drawn = Prefetcher(sampler, pinned=False), sampler.sample
    first = ahead.sample(2)
    kept = ahead.state_dict()
    ahead.load_state_dict(kept)

    def broken(size: int) -> WindowBatch:
        raise MemoryError("no room")

    monkeypatch.setattr(sampler, "sample", broken)
    with pytest.raises(MemoryError):
        ahead.sample(2)
    monkeypatch.setattr(sampler, "sample", drawn)
    assert not same(ahead.sample(2), first)
    ahead.close()


def test_a_run_that_samples_ahead_gives_the_same_numbers_and_goes_on_exactly(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def train(session: Session, folder: Path, stop_after: int | None = None) -> list[Any]:
        requests, events = Requests(), []
        for event in training_loop(session, requests, lambda *_: [], lambda s, best: save_checkpoint(s, folder, best)):
            events.append(event)
            if event.step == stop_after:
                requests.stop = "test"
        return events

    plain = losses(train(new_session(make_config()), tmp_path / "plain"))
    monkeypatch.setattr(sequence_learner, "worth_prefetching", lambda device: True)
    assert losses(train(new_session(make_config()), tmp_path / "ahead")) == plain
    first = losses(train(new_session(make_config()), tmp_path / "parts", stop_after=2))
    rest = losses(train(resume_session(tmp_path / "parts" / "last.pt"), tmp_path / "parts"))
    assert first + rest == plain


@pytest.mark.parametrize("batch", [4, 3])
def test_a_step_reads_nothing_from_the_device(
    make_config: MakeConfig, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda *kind: False)  # it does not know of shapes alone
    session = new_session(make_config(optim={"batch_size": batch, "micro_batch_size": 2}))
    learner: Any = session.learner
    learner.policy.to("meta")
    moved = sequence_learner.SequenceLearner(
        session.config, learner.policy, [], None, learner.sampler._store, torch.device("cpu")
    )
    moved.device = torch.device("meta")
    with NoHostReads():
        pending = moved.backward(session.config, 0, lambda phase: None)
        norm = moved.optimiser.gradient_norm()
        skip = torch.stack([*pending.terms.values(), norm]).isfinite().all().logical_not().to(norm.dtype)
        moved.optimiser.step(divisor=norm, skip=skip)
        moved.optimiser.zero_grad()
    assert {term.device.type for term in pending.terms.values()} == {"meta"}
