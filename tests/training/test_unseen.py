"""The loss on episodes that the ratio leaves out: of those alone, and without a trace in the training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lamo_core.config import RunConfig
from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.open_data import open_data, open_unseen
from lamo_core.data.subset import Selection
from lamo_core.engine.engine import save_checkpoint
from lamo_core.evaluation.scores import target_score
from lamo_core.training.checkpoint import trained_weights
from lamo_core.training.events import EvalDone
from lamo_core.training.loop import Requests, training_loop
from lamo_core.training.sequence_learner import unseen_windows
from lamo_core.training.session import Session, new_session, resume_session
from tests.training.test_loop import losses

METHODS = ["lamo", "bc", "iql"]


def config(method: str = "lamo", ratio: float = 0.1, unseen: int = 4, **optim: Any) -> RunConfig:
    return RunConfig.from_dict(
        {
            "method": method,
            "device": "cpu",
            "task": {"name": "mujoco-reacher2d"},
            "data": {"set": "reacher2d-medium", "ratio": ratio},
            "model": {"backbone": "random:mini", "context": 3, "dropout": 0.1, "lora_rank": 2},
            "markov": {"width": 16},
            "optim": {"steps": 4, "batch_size": 8, "micro_batch_size": 8, "warmup_steps": 1, **optim},
            "eval": {"every": 2, "final_episodes": 1, "unseen_episodes": unseen},
        }
    )


def run(session: Session, folder: Path, stop_after: int | None = None) -> list[Any]:
    requests, events = Requests(), []
    score = target_score(session.task, 1.0, [0.0], [1], steps_per_second=1.0, context="chunked", action="greedy")
    for event in training_loop(session, requests, lambda *_: [score], lambda s, best: save_checkpoint(s, folder, best)):
        events.append(event)
        if event.step == stop_after:
            requests.stop = "test"
    return events


def measured(events: list[Any]) -> list[float | None]:
    return [event.metrics.get("loss/unseen") for event in events if isinstance(event, EvalDone)]


def starts(store: EpisodeStore) -> set[bytes]:
    rows = store.offsets[:-1] + np.arange(len(store.lengths))
    return {np.asarray(store.observations)[row].tobytes() for row in rows}


def test_unseen_episodes_are_the_next_ones_of_a_larger_share() -> None:
    lengths = np.arange(1, 101)
    chosen, unseen, larger = (Selection(ratio, 7, unseen=n).of(lengths) for ratio, n in ((0.1, 0), (0.1, 5), (0.15, 0)))
    assert sorted([*chosen, *unseen]) == larger.tolist()
    assert len(Selection(0.98, 7, unseen=5).of(lengths)) == 2
    assert not len(Selection(1.0, 7, unseen=5).of(lengths))


def test_none_of_them_is_trained_on() -> None:
    ours = config()
    seen, unseen = open_data(ours.data, ours.task, 3), open_unseen(ours.data, ours.task, 3, 4)
    assert unseen is not None
    assert len(unseen.lengths) == 4
    assert not starts(seen) & starts(unseen)
    assert open_unseen(replace(ours.data, ratio=1.0), ours.task, 3, 4) is None


@pytest.mark.parametrize("method", METHODS)
def test_measuring_leaves_no_trace_and_goes_on_after_a_resume(method: str, tmp_path: Path) -> None:
    without = new_session(config(method, unseen=0))
    events = run(without, tmp_path / "without")
    assert measured(events) == [None, None]
    session = new_session(config(method))
    whole = run(session, tmp_path / "with")
    assert losses(whole) == losses(events)
    for name, tensor in trained_weights(session.policy).items():
        assert torch.equal(tensor, trained_weights(without.policy)[name])
    run(new_session(config(method)), tmp_path / "parts", stop_after=3)
    assert measured(run(resume_session(tmp_path / "parts" / "last.pt"), tmp_path / "parts")) == measured(whole)[1:]


@pytest.mark.parametrize("method", METHODS)
def test_it_falls_as_the_policy_learns(method: str, tmp_path: Path) -> None:
    learning = config(method, ratio=0.5, steps=60, learning_rate=3e-3, adapter_learning_rate=3e-3)
    first, *_, last = measured(run(new_session(learning), tmp_path))
    assert first is not None
    assert last is not None
    assert last < first


def test_with_every_episode_in_the_share_there_is_none_to_measure(tmp_path: Path) -> None:
    assert set(measured(run(new_session(config(ratio=1.0)), tmp_path))) == {None}


@pytest.mark.parametrize(("every", "steps", "windows"), [(500, 1000, 128), (0, 300, 128), (100, 1000, 48), (2, 60, 16)])
def test_it_takes_at_most_a_fiftieth_of_the_training_between_evaluations(every: int, steps: int, windows: int) -> None:
    values = config(steps=steps).to_dict()
    values["eval"]["every"] = every
    assert unseen_windows(RunConfig.from_dict(values)) == windows
