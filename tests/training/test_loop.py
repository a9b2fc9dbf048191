"""The loop: exact resume, stopping, non-finite losses, what is due when."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lamo_core.engine.engine import save_checkpoint
from lamo_core.evaluation.scores import TargetScore
from lamo_core.training.checkpoint import read_checkpoint, trained_weights
from lamo_core.training.events import CheckpointSaved, EvalDone, Event, StepDone, Stopped
from lamo_core.training.loop import Requests, training_loop
from lamo_core.training.session import Session, new_session, resume_session
from tests.training.conftest import MakeConfig, no_evaluation


def run(session: Session, folder: Path, stop_after: int | None = None) -> list[Event]:
    requests = Requests()
    events = []
    for event in training_loop(session, requests, no_evaluation, lambda s, best: save_checkpoint(s, folder, best)):
        events.append(event)
        if isinstance(event, StepDone) and event.step == stop_after:
            requests.stop = "test"
    return events


def losses(events: list[Event]) -> list[tuple[int, float, float | None]]:
    return [(e.step, e.loss, e.language_loss) for e in events if isinstance(e, StepDone)]


@pytest.mark.parametrize("language", [0.0, 0.1])
def test_a_resumed_run_gives_the_numbers_of_an_uninterrupted_one(
    make_config: MakeConfig, tmp_path: Path, language: float
) -> None:
    config = make_config(
        data={"frame_shift": 2},
        model={"backbone": "mini" if language else "random:mini"},
        language={"weight": language, "blocks": 2, "block_size": 16, "batch_size": 1},
    )
    whole = new_session(config)
    expected = losses(run(whole, tmp_path / "whole"))
    first = run(new_session(config), tmp_path / "parts", stop_after=4)
    assert isinstance(first[-1], Stopped)
    assert first[-1].reason == "stop"
    torch.manual_seed(123)  # whatever happened to the generators meanwhile must not matter
    resumed = resume_session(tmp_path / "parts" / "last.pt")
    second = run(resumed, tmp_path / "parts")
    assert losses(first) + losses(second) == expected
    assert len(expected) == 6
    ours, theirs = trained_weights(whole.policy), trained_weights(resumed.policy)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("before", [True, False])
def test_published_settings_resume_exactly_and_so_do_checkpoints_from_before_them(
    make_config: MakeConfig, tmp_path: Path, before: bool
) -> None:
    changes = {} if before else {"model": {"frame_layers": "two"}, "optim": {"epsilon": 1e-6}}
    config = make_config(**changes)
    expected = losses(run(new_session(config), tmp_path / "whole"))
    first = losses(run(new_session(config), tmp_path / "parts", stop_after=4))
    path = tmp_path / "parts" / "last.pt"
    if before:
        payload = torch.load(path, weights_only=True)
        for group, name in (("optim", "epsilon"), ("data", "ratio_rounding"), ("model", "frame_layers")):
            del payload["config"][group][name]
        torch.save(payload, path)
    resumed = resume_session(path)
    assert resumed.config == config
    assert {group["eps"] for group in resumed.learner.optimiser.param_groups} == {1e-8 if before else 1e-6}
    assert first + losses(run(resumed, tmp_path / "parts")) == expected


def test_the_same_seed_gives_the_same_losses_and_another_one_does_not(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(optim={"steps": 2})
    runs = [losses(run(new_session(config), tmp_path)) for _ in range(2)]
    assert runs[0] == runs[1]
    other = make_config(optim={"steps": 2}).to_dict() | {"seed": 1}
    assert losses(run(new_session(type(config).from_dict(other)), tmp_path)) != runs[0]


def test_micro_batches_add_up_to_the_whole_batch(make_config: MakeConfig, tmp_path: Path) -> None:
    found = []
    for size in (4, 1):
        config = make_config(model={"dropout": 0.0}, optim={"micro_batch_size": size, "steps": 2})
        found.append([loss for _, loss, _ in losses(run(new_session(config), tmp_path))])
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_training_lowers_the_loss_on_a_few_windows(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(
        model={"dropout": 0.0},
        optim={"steps": 40, "learning_rate": 1e-3, "adapter_learning_rate": 1e-3, "warmup_steps": 0},
    )
    found = [loss for _, loss, _ in losses(run(new_session(config), tmp_path))]
    assert sum(found[-5:]) < 0.7 * sum(found[:5])


def test_a_loss_that_is_not_finite_stops_before_the_update(make_config: MakeConfig, tmp_path: Path) -> None:
    session = new_session(make_config())
    before = {name: value.clone() for name, value in trained_weights(session.policy).items()}
    session.learner.sampler._returns_to_go[:] = float("nan")
    events = run(session, tmp_path)
    assert isinstance(events[-1], Stopped)
    assert events[-1].reason == "non-finite loss"
    assert "learning_rate" in events[-1].message
    after = trained_weights(session.policy)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert read_checkpoint(tmp_path / "last.pt").step == 0


def test_the_newest_checkpoint_stays_after_a_million_steps(make_config: MakeConfig, tmp_path: Path) -> None:
    session = new_session(make_config(checkpoint={"keep": 2}))
    for session.step in (999_998, 999_999, 1_000_000):
        assert Path(save_checkpoint(session, tmp_path, best=False)).is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1000000.pt", "999999.pt", "last.pt"]


def test_evaluations_and_checkpoints_come_when_due_and_old_ones_go(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(
        optim={"steps": 5}, eval={"every": 2, "episodes": 3, "final_episodes": 7}, checkpoint={"every": 1, "keep": 2}
    )
    session = new_session(config)
    asked: list[int] = []

    def score(session: Session, episodes: int) -> list[TargetScore]:
        asked.append(episodes)
        assert not session.policy.training
        mean = float(len(asked) == 2)  # the second evaluation is the best
        return [TargetScore(1, episodes, (mean,), (1,), mean, 0, 1, 0, 1, 1, "chunked", "sample")]

    events = list(training_loop(session, Requests(), score, lambda s, best: save_checkpoint(s, tmp_path, best)))
    assert [(e.step, e.final) for e in events if isinstance(e, EvalDone)] == [(2, False), (4, False), (5, True)]
    assert asked == [3, 3, 7]
    assert [e.step for e in events if isinstance(e, CheckpointSaved) and e.best] == [2, 4]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000004.pt", "000005.pt", "best.pt", "last.pt"]
    assert session.policy.training
    assert isinstance(events[-1], Stopped)
    assert events[-1].reason == "finished"


def test_a_stop_at_a_saved_step_does_not_save_it_again(make_config: MakeConfig, tmp_path: Path) -> None:
    session, requests = new_session(make_config(checkpoint={"every": 2})), Requests()
    saved = []
    for event in training_loop(session, requests, no_evaluation, lambda s, best: save_checkpoint(s, tmp_path, best)):
        if isinstance(event, CheckpointSaved):
            saved.append(event.step)
            requests.stop = "test" if event.step else None
    assert saved == [0, 2]
    assert resume_session(tmp_path / "last.pt").step == 2
