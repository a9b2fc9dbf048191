"""Stopping in time: what is held out is not trained on, the best step's weights act, and a resume is exact."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lamo_core.config import RunConfig
from lamo_core.data.held_out import LEAST_EPISODES, Segments, split
from lamo_core.data.windows import WindowSampler, returns_to_go
from lamo_core.engine.engine import save_checkpoint
from lamo_core.errors import UsageError
from lamo_core.evaluation.scores import target_score
from lamo_core.runs.labels import is_experiment
from lamo_core.settings.presets import override, resolve
from lamo_core.settings.unused import idle_settings
from lamo_core.training.checkpoint import read_checkpoint, trained_weights
from lamo_core.training.events import EvalDone, Note, StepDone
from lamo_core.training.loop import Requests, _train_step, training_loop
from lamo_core.training.session import Session, new_session, resume_session
from tests.training.test_unseen import config as unseen_config
from tests.training.test_unseen import run


def config(method: str = "lamo", ratio: float = 0.2, **optim: Any) -> RunConfig:
    made = unseen_config(method, ratio, **{"ema_decay": 0.9, **optim})
    return replace(made, checkpoint=replace(made.checkpoint, best="held-out"))


@pytest.mark.parametrize("count", [1, 2, 4, 5, 25])
def test_every_step_is_either_trained_on_or_held_out(count: int) -> None:
    lengths = np.random.default_rng(count).integers(1, 60, count)
    trained, held_out = split(lengths, np.arange(count), seed=3)
    both = trained.of_steps(lengths).astype(int) + held_out.of_steps(lengths)
    assert (both == 1).all()
    if count >= LEAST_EPISODES:
        assert sorted(held_out.lengths)[:-1] == [0] * (count - 1)
    else:
        assert (held_out.lengths[lengths > 1] >= 1).all()
        assert (trained.lengths >= 0.75 * lengths - 1).all()
    others = {tuple(split(lengths, np.arange(count), seed)[1].lengths) for seed in range(20)}
    assert (len(others) > 1) == (count >= LEAST_EPISODES)  # the seed draws the episode


def test_of_a_few_chosen_episodes_only_those_count() -> None:
    lengths = np.full(9, 10)
    trained, held_out = split(lengths, np.array([2, 7]), seed=0)
    assert trained.lengths.tolist() == [0, 0, 8, 0, 0, 0, 0, 8, 0]
    assert held_out.lengths.tolist() == [0, 0, 2, 0, 0, 0, 0, 2, 0]


@pytest.mark.parametrize("windows", ["full", "every-step", "every-start"])
def test_windows_stay_within_their_segments(windows: Any) -> None:
    session = new_session(config())
    store = session.learner.sampler._store  # type: ignore[attr-defined]
    ends = store.lengths - 1
    segments = Segments(np.where(np.arange(len(ends)) == 1, 0, 4), np.where(np.arange(len(ends)) == 1, 0, ends))
    shared: dict[str, Any] = {"context": 3, "return_to_go": "inclusive", "rewards": "raw", "return_scale": 1.0}
    shared |= {"frame_shift": 0, "windows": windows}
    batch = WindowSampler(store, generator=np.random.default_rng(0), segments=segments, **shared).sample(500)
    times = batch.timesteps[batch.mask]
    assert int(times.min()) == 4
    assert int(times.max()) == int(ends.max()) - 1
    whole = WindowSampler(store, generator=np.random.default_rng(0), **shared).sample(500)
    assert int(whole.timesteps[whole.mask].min()) == 0
    # returns-to-go are those of the whole episode
    known = returns_to_go(store, "inclusive", "raw")
    assert np.isin(batch.returns_to_go[batch.mask].numpy(), known).all()
    assert batch.returns_to_go.max() > 0.9 * known.max()


def test_the_best_step_acts_is_saved_and_is_evaluated(tmp_path: Path) -> None:
    session = new_session(config(steps=12, learning_rate=0.05, adapter_learning_rate=0.05, ema_decay=0.0))
    events = run(session, tmp_path)
    measured = {event.step: event.held_out_loss for event in events if isinstance(event, StepDone)}
    assert set(measured) == set(range(1, 13))
    best = min(measured, key=lambda step: (measured[step], step))
    final = [event for event in events if isinstance(event, EvalDone)][-1]
    assert (final.step, final.metrics["best_step"], final.final) == (12, best, True)
    saved = read_checkpoint(tmp_path / "last.pt")
    again = new_session(config(steps=12, learning_rate=0.05, adapter_learning_rate=0.05, ema_decay=0.0))
    while again.step < best:
        _train_step(again)
    for name, tensor in trained_weights(again.policy).items():
        assert torch.equal(tensor, saved.weights[name]), name


@pytest.mark.parametrize("method", ["lamo", "bc"])
@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_a_resumed_run_keeps_the_best_step_and_goes_on_exactly(method: str, decay: float, tmp_path: Path) -> None:
    ours = config(method, steps=8, ema_decay=decay, learning_rate=0.02)
    whole = new_session(ours)
    run(whole, tmp_path / "whole")
    run(new_session(ours), tmp_path / "parts", stop_after=5)
    resumed = resume_session(tmp_path / "parts" / "last.pt")
    run(resumed, tmp_path / "parts")
    assert best_of(resumed) == best_of(whole)
    for one, two in zip(parameters(resumed), parameters(whole), strict=True):
        assert torch.equal(one, two)
    with resumed.acting(), whole.acting():
        for one, two in zip(parameters(resumed), parameters(whole), strict=True):
            assert torch.equal(one, two)


@pytest.mark.parametrize("method", ["lamo", "bc"])
def test_of_few_episodes_the_ends_choose_the_steps_and_all_are_trained_on(method: str, tmp_path: Path) -> None:
    ours = config(method, ratio=0.06, steps=12, learning_rate=0.02)
    session = new_session(ours)
    assert session.data["episodes"] == 3
    events = run(session, tmp_path / "whole")
    step, loss = best_of(session)
    assert loss == min(event.held_out_loss for event in events if isinstance(event, StepDone))
    again = new_session(replace(ours, checkpoint=replace(ours.checkpoint, best="last")))
    while again.step < step:
        _train_step(again)
    with again.averaged(), session.acting():
        for one, two in zip(parameters(session), parameters(again), strict=True):
            assert torch.equal(one, two)
    # stopped in the middle of the second training it is done again, from its beginning
    requests, parts = Requests(), new_session(ours)
    score = target_score(parts.task, 1.0, [0.0], [1], steps_per_second=1.0, context="chunked", action="greedy")
    for event in training_loop(parts, requests, lambda *_: [score], lambda s, best: save_checkpoint(s, tmp_path, best)):
        if isinstance(event, Note):
            requests.stop = "test"
    assert parts.kept is not None
    assert not parts.kept.of_all
    resumed = resume_session(tmp_path / "last.pt")
    run(resumed, tmp_path)
    with resumed.acting(), session.acting():
        for one, two in zip(parameters(resumed), parameters(session), strict=True):
            assert torch.equal(one, two)


def best_of(session: Session) -> tuple[int, float]:
    assert session.kept is not None
    return session.kept.step, session.kept.loss


def parameters(session: Session) -> list[torch.Tensor]:
    return [value.detach().clone() for value in session.policy.parameters() if value.requires_grad]


def test_the_loss_of_a_constant_guess_is_told_beside_it(tmp_path: Path) -> None:
    session = new_session(config(steps=2))
    (final,) = [event for event in run(session, tmp_path) if isinstance(event, EvalDone) and event.final]
    batch, actions = session.learner._unseen, session.learner._actions_N  # type: ignore[attr-defined]
    expected = np.square(batch.actions[batch.mask].numpy() - actions.mean(0)).mean()
    assert final.metrics["loss/constant"] == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("method", ["iql", "td3+bc"])
def test_methods_that_improve_on_the_data_hold_nothing_out(method: str) -> None:
    session = new_session(config(method))
    assert session.kept is None
    assert "checkpoint.best" in idle_settings(session.config)
    assert "checkpoint.best" not in idle_settings(config("bc"))


def test_it_makes_another_experiment_and_is_kept_by_a_resumed_run() -> None:
    assert is_experiment("checkpoint.best")
    assert not is_experiment("checkpoint.every")
    with pytest.raises(UsageError, match=r"keeps its checkpoint\.best"):
        override(resolve("mujoco-hopper-10pct").config, ["checkpoint.best=held-out"], {})
