"""One contract for every method, on frames with discrete actions and on vectors with continuous ones."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lamo_core.config import RunConfig, TaskConfig
from lamo_core.data.episodes import EpisodeStore, FrameArray
from lamo_core.engine.engine import save_checkpoint
from lamo_core.errors import UsageError
from lamo_core.evaluation.contexts import Actor, make_context
from lamo_core.evaluation.evaluate import evaluate
from lamo_core.evaluation.rollout_spec import Asked
from lamo_core.methods import METHODS
from lamo_core.settings.presets import preset_names, resolve
from lamo_core.tasks.registry import get_task
from lamo_core.training import session as sessions
from lamo_core.training.checkpoint import load_policy, trained_weights
from lamo_core.training.events import Event, StepDone, Stopped
from lamo_core.training.loop import Requests, training_loop
from lamo_core.training.session import Session, new_session, resume_session

CPU = torch.device("cpu")
PRESETS = {"discrete": "atari-breakout-1pct", "continuous": "mujoco-hopper-1pct"}
CASES = [(name, (), kind) for name in preset_names("methods") for kind in METHODS[name].actions]
OPTIONS = ("q-term", "learned-maximum", "vocabulary-actions", "embedding-dropout", "no-returns", "lora-all", "no-lora")
OPTIONS += ("attention-mixing", "action-dropout")
CASES += [("lamo", (option,), kind) for option in OPTIONS for kind in PRESETS]
CASES += [("filtered-bc", ("filter-by-data",), "continuous"), ("bc", ("frame-shift",), "discrete")]


def toy_store(kind: str) -> EpisodeStore:
    """Return three episodes of noise of a Breakout-like or a Hopper-like task."""
    rng = np.random.default_rng(0)
    lengths = np.array([9, 3, 7])
    steps, rows = int(lengths.sum()), int((lengths + 1).sum())
    frames = rng.integers(0, 256, (rows + 1, 84, 84), dtype=np.uint8)
    frames[-1] = 0
    discrete = kind == "discrete"
    return EpisodeStore(
        "toy",
        FrameArray(frames) if discrete else rng.normal(size=(rows, 11)).astype(np.float32),
        rng.integers(0, 4, steps).astype(np.uint8) if discrete else rng.uniform(-1, 1, (steps, 3)).astype(np.float32),
        rng.random(steps).astype(np.float32),
        lengths,
        np.array([True, False, True]),
        np.array([False, True, False]),
    )


class ShortEpisodes:
    """Environments whose episodes last four decisions and pay what the actions add up to."""

    def __init__(self, config: TaskConfig, size: int) -> None:
        self.task, self.size, self.steps = get_task(config.name), size, 0

    def reset(self, seeds: np.ndarray) -> np.ndarray:
        self.steps = 0
        return self._observe()

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        self.steps += 1
        over = np.full(self.size, self.steps >= 4)
        return self._observe(), actions.reshape(self.size, -1).sum(1).astype(np.float64), over, ~over & False

    def noops(self) -> np.ndarray:
        return np.zeros(self.size, np.int64)

    def close(self) -> None:
        """Free nothing."""

    def _observe(self) -> np.ndarray:
        rng = np.random.default_rng(self.steps)
        if self.task.observation == "frames":
            return rng.integers(0, 256, (self.size, 4, 84, 84)).astype(np.uint8)
        return rng.normal(size=(self.size, *self.task.observation_shape)).astype(np.float32)


def small_config(method: str, kind: str, ablations: tuple[str, ...] = ()) -> RunConfig:
    """Return a method's real settings but for its size."""
    values: dict[str, object] = {
        "device": "cpu", "precision": "fp32", "optim.steps": 5, "optim.batch_size": 4, "optim.micro_batch_size": 3,
        "eval.every": 0, "eval.final_episodes": 0, "checkpoint.every": 100, "model.context": 3, "markov.width": 16,
        "value.quantiles": 3, "value.target_every": 2, "language.blocks": 2, "language.block_size": 16,
        "alignment.clusters": 8,
    }  # fmt: skip
    return resolve(PRESETS[kind], ablations, flags=values, method=method).config


def train(session: Session, folder: Path, stop_after: int | None = None) -> list[tuple[Any, ...]]:
    """Train to the end or for some steps; returns every step's losses and gradient norm."""
    requests, found = Requests(), []

    def none(session: Session, episodes: int) -> list[Any]:
        raise AssertionError("no evaluation was due")

    last: Event | None = None
    for event in training_loop(session, requests, none, lambda s, best: save_checkpoint(s, folder, best)):
        last = event
        if isinstance(event, StepDone):
            losses = (event.loss, event.decision_loss, event.language_loss, event.parts)
            found.append((event.step, *losses, event.grad_norm))
            if event.step == stop_after:
                requests.stop = "test"
    assert isinstance(last, Stopped)
    assert last.reason == ("stop" if requests.stop else "finished")
    return found


def decide(policy: Actor, kind: str) -> torch.Tensor:
    """Return what a policy decides at the second step of two episodes."""
    environments = ShortEpisodes(TaskConfig(name=policy.task.name), 2)
    context = make_context("chunked", policy.eval())
    actions = torch.zeros(2, dtype=torch.int64) if kind == "discrete" else torch.zeros(2, policy.task.actions)
    with torch.inference_mode():
        context.decide(torch.from_numpy(environments.reset(np.arange(2))), torch.ones(2), None)
        return context.decide(torch.from_numpy(environments._observe() + 1), torch.ones(2), actions)


@pytest.mark.parametrize(("method", "ablations", "kind"), CASES)
def test_every_method_trains_acts_saves_resumes_and_evaluates(
    method: str, ablations: tuple[str, ...], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "open_data", lambda *arguments: toy_store(kind))
    config = small_config(method, kind, ablations)
    assert config.method == method
    session = new_session(config)
    before = {name: value.clone() for name, value in trained_weights(session.policy).items()}
    whole = train(session, tmp_path / "whole")
    assert len(whole) == 5
    assert all(math.isfinite(loss) and norm > 0 for _, loss, _, _, _, norm in whole)
    after = trained_weights(session.policy)
    learned = {name for name, parameter in session.policy.named_parameters() if parameter.requires_grad}
    assert any(not torch.equal(before[name], after[name]) for name in learned)

    policy, loaded, facts = load_policy(tmp_path / "whole" / "last.pt", CPU)
    assert (loaded, facts["step"]) == (config, 5)
    with session.averaged():
        assert torch.equal(decide(policy, kind), decide(session.policy, kind))

    first = train(new_session(config), tmp_path / "parts", stop_after=3)
    torch.manual_seed(123)  # whatever happened to the generators meanwhile must not matter
    resumed = resume_session(tmp_path / "parts" / "last.pt")
    assert first + train(resumed, tmp_path / "parts") == whole
    ours = trained_weights(resumed.policy)
    assert ours.keys() == after.keys()
    assert all(torch.equal(ours[name], after[name]) for name in ours)

    found = evaluate(policy, config.task, Asked.by(config, session.targets, 2), environments=ShortEpisodes)
    assert [len(score.returns) for score in found.scores] == [2]
    assert found.scores[0].lengths == (4, 4)


def test_a_method_that_does_not_fit_names_those_that_do() -> None:
    with pytest.raises(UsageError, match=r"td3\+bc does not fit tasks with discrete actions; use one of lamo, .*nfq"):
        new_session(small_config("td3+bc", "discrete"))
    with pytest.raises(UsageError, match=r"nfq does not fit tasks with continuous actions.*td3\+bc"):
        new_session(small_config("nfq", "continuous"))
