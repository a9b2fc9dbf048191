"""Training from Python makes runs that all of lamo sees."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import lamo_core as lamo
from lamo_core.runs.control import send
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.index import list_runs
from lamo_core.training.events import Event
from lamo_tui.cli.app import app
from tests.player.tiny import tiny_config

PRESET = "mujoco-reacher2d-10pct"
TINY: dict[str, Any] = {
    "model.backbone": tiny_config().model.backbone,
    "model.lora_rank": 2,
    "optim.steps": 3,
    "optim.batch_size": 2,
    "optim.micro_batch_size": 2,
    "optim.warmup_steps": 1,
    "eval.every": 2,
    "eval.episodes": 1,
    "eval.final_episodes": 2,
    "eval.unseen_episodes": 0,
    "eval.target_quantiles": [0.5, 0.95],
    "checkpoint.every": 2,
    "task.max_steps": 4,
}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of runs."""
    monkeypatch.setenv("LAMO_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def train(**changes: Any) -> lamo.Run:
    settings = TINY | changes.pop("settings", {})
    return lamo.train(PRESET, seed=1, settings=settings, device="cpu", **changes)


def test_a_run_is_one_like_all_others(root: Path) -> None:
    events: list[Event] = []
    run = train(ablations=["frozen"], ratio="20%", listeners=[events.append])
    names = [type(event).__name__ for event in events]
    trained = ["StepDone", "StepDone", "EvalDone", "StepDone", "EvalDone"]
    assert [name for name in names if name != "CheckpointSaved"] == ["Started", *trained, "Stopped"]
    assert names[1] == "CheckpointSaved"
    assert all(names[at - 1] == "CheckpointSaved" for at, name in enumerate(names) if name == "EvalDone")
    assert (run.state, run.path.parent) == ("finished", root)
    assert (run.config.name, run.config.seed, run.config.data.ratio) == (f"{PRESET}+frozen", 1, 0.2)
    (listed,) = list_runs(root)
    assert (listed.id, listed.state, listed.status.step) == (run.id, "finished", 3)
    argv = run._folder.read_info()["argv"]
    assert argv[:6] == ["lamo", "train", "--preset", PRESET, "--ablation", "frozen"]

    final = [event for event in events if isinstance(event, lamo.EvalDone)][-1]
    assert [score.returns for score in run.scores] == [score.returns for score in final.scores]
    assert [score.episodes for score in run.scores] == [2, 2]
    metrics = run.metrics()
    steps = [event for event in events if isinstance(event, lamo.StepDone)]
    np.testing.assert_array_equal(metrics["loss"].step, [1, 2, 3])
    np.testing.assert_array_equal(metrics["loss"].value, [event.loss for event in steps])
    assert metrics["return"].step.tolist() == [2, 3]

    assert run.checkpoint.name == "last.pt"
    assert run.best_checkpoint.name == "best.pt"
    assert lamo.load_policy(run).step == 3
    assert lamo.open_run("last") == lamo.open_run(run.id[:20]) == lamo.open_run(run.path) == run
    shown = CliRunner().invoke(app, ["runs", "show", "last"])
    assert run.id in shown.stdout
    reported = CliRunner().invoke(app, ["report", "last"])
    assert reported.exit_code == 0, reported.exception


def test_it_is_the_run_that_the_command_makes() -> None:
    mine = train()
    words = lamo.resolve(PRESET, seed=1, settings=TINY, device="cpu").config
    assert mine.config == words
    done = CliRunner().invoke(app, mine._folder.read_info()["argv"][1:])
    assert done.exit_code == 0, done.exception
    theirs = lamo.open_run("last")
    assert theirs.id != mine.id
    np.testing.assert_array_equal(theirs.metrics()["loss"].value, mine.metrics()["loss"].value)
    assert [score.returns for score in theirs.scores] == [score.returns for score in mine.scores]


def test_runs_go_where_they_are_wanted(tmp_path: Path, root: Path) -> None:
    run = train(root=tmp_path / "elsewhere", settings={"eval.every": 0, "eval.final_episodes": 0})
    assert run.path.parent == tmp_path / "elsewhere"
    assert not root.exists()
    assert lamo.open_run("last", root=tmp_path / "elsewhere") == run
    assert run.scores == ()
    with pytest.raises(lamo.UsageError, match="no best checkpoint"):
        _ = run.best_checkpoint


def test_a_first_interrupt_saves_and_a_resumed_run_is_the_uninterrupted_one() -> None:
    whole = train()

    def interrupt(event: Event) -> None:
        if isinstance(event, lamo.StepDone) and event.step == 1:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(listeners=[interrupt])
    assert signal.getsignal(signal.SIGINT) is before
    stopped = lamo.open_run("last")
    assert (stopped.state, stopped.metrics()["loss"].step.tolist()) == ("stopped", [1])
    resumed = lamo.resume(stopped)
    assert (resumed.id, resumed.state) == (stopped.id, "finished")
    np.testing.assert_array_equal(resumed.metrics()["loss"].value, whole.metrics()["loss"].value)
    with pytest.raises(lamo.UsageError, match="has done all of its 3 steps"):
        lamo.resume("last")
    assert lamo.resume("last", settings={"optim.steps": 4}).metrics()["loss"].step.tolist() == [1, 2, 3, 4]
    with pytest.raises(lamo.UsageError, match=r"keeps its model\.context"):
        lamo.resume("last", settings={"model.context": 4})


def test_a_second_interrupt_leaves_at_once() -> None:
    def interrupt_twice(event: Event) -> None:
        if isinstance(event, lamo.StepDone):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(listeners=[interrupt_twice])
    assert lamo.open_run("last").state == "stopped"


def test_an_interrupt_before_the_first_step_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from lamo_core.engine import run_training

    def interrupted(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        arguments[1]("reading", 0, 0)

    monkeypatch.setattr(run_training, "_session", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train()
    assert lamo.open_run("last").state == "stopped"


def test_a_stop_from_outside_returns_a_stopped_run(root: Path) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, lamo.StepDone) and event.step == 1:
            (run,) = list_runs(root)
            send(run.run, "stop")

    run = train(listeners=[stop], settings={"optim.steps": 10_000, "eval.every": 0, "eval.final_episodes": 0})
    assert run.state == "stopped"
    assert 1 <= run.metrics()["loss"].step[-1] < 10_000
    assert lamo.load_policy(run).step == run.metrics()["loss"].step[-1]


def test_training_works_in_other_threads_too() -> None:
    found: list[lamo.Run] = []
    thread = threading.Thread(target=lambda: found.append(train()))
    thread.start()
    thread.join()
    assert [run.state for run in found] == ["finished"]


@pytest.mark.parametrize("error", [ValueError("my listener fell over"), lamo.LamoError("enough")])
def test_what_a_listener_raises_ends_the_run_and_reaches_the_caller(error: Exception) -> None:
    def fail(event: Event) -> None:
        if isinstance(event, lamo.StepDone):
            raise error

    with pytest.raises(type(error), match=str(error)):
        train(listeners=[fail])
    run = lamo.open_run("last")
    assert run.state == "failed"
    assert str(error) in run._folder.status_file.read_text()


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    with pytest.raises(lamo.LamoError, match="not finite at step"):
        train(settings={"optim.learning_rate": 1.0, "optim.clip": 0.0, "model.return_scale": 1e-30})
    assert lamo.open_run("last").state == "failed"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"preset": "mujoco-hoper-3pct"}, "did you mean 'mujoco-hopper-3pct'"),
        ({"preset": PRESET, "settings": {"optim.step": 3}}, r"did you mean 'optim\.steps'"),
        ({"preset": PRESET, "settings": {"optim.steps": "many"}}, "wants a whole number"),
        ({"preset": PRESET, "ablations": ["frozn"]}, "did you mean 'frozen'"),
        ({"preset": PRESET, "method": "lam"}, "no method 'lam'"),
        ({"preset": PRESET, "ratio": "150%"}, "at most 100%"),
        ({"preset": PRESET, "device": "xpu"}, "there is no device 'xpu'"),
        ({}, "say what to train"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_a_run_is_made(
    arguments: dict[str, Any], says: str, root: Path
) -> None:
    with pytest.raises(lamo.UsageError, match=says):
        lamo.train(**arguments)
    assert not root.exists()


def test_settings_are_given_as_values_or_texts() -> None:
    values: dict[str, Any] = {"optim.steps": 7, "model.trunk_positions": False, "eval.targets": [1, 2.5]}
    values |= {"optim.learning_rate": 1e-4, "model.backbone": "random:mini"}
    texts = ["optim.steps=7", "model.trunk_positions=false", "eval.targets=1,2.5"]
    texts += ["optim.learning_rate=0.0001", "model.backbone=random:mini"]
    config = lamo.resolve(PRESET, settings=values).config
    assert config == lamo.resolve(PRESET, settings=texts).config
    assert (config.optim.steps, config.model.trunk_positions, config.eval.targets) == (7, False, (1.0, 2.5))
    assert lamo.resolve(PRESET, ablations="frozen").config.model.adapter == "frozen"


def test_resolve_says_where_values_come_from(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[optim]\nsteps = 3\n")
    resolved = lamo.resolve("mujoco-hopper-3pct", method="dt", file=str(file), ratio=0.5)
    assert resolved.origins["optim.steps"] == f"file {file}"
    assert (resolved.config.data.ratio, resolved.origins["data.ratio"]) == (0.5, "command line")
    assert {PRESET, "paper-atari-pong"} <= set(lamo.list_presets())
    assert "td3+bc" in lamo.list_presets("methods")
    assert "frozen" in lamo.list_presets("ablations")


def test_damaged_records_are_called_so(root: Path) -> None:
    run = train(settings={"optim.steps": 1})
    events = RunDirectory(run.path).events_file
    events.write_text(events.read_text().replace('"normalised":', '"normal":'))
    with pytest.raises(lamo.UsageError, match="records of this run are damaged"):
        _ = run.scores
    with pytest.raises(lamo.UsageError, match="there is no run"):
        lamo.open_run("nothing-like-it", root=root)
