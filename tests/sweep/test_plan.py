"""What a sweep costs, and that its plan survives a file."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from lamo_core.engine.run_spec import RunSpec
from lamo_core.errors import StorageError, UsageError
from lamo_core.runs.create import create_run
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.index import list_runs
from lamo_core.settings.presets import Resolved, resolve
from lamo_core.sweep.engines import local_slots
from lamo_core.sweep.folder import Journal, find_sweep, new_folder
from lamo_core.sweep.grid import Grid, widened
from lamo_core.sweep.plan import (
    extended,
    make_plan,
    planned_settings,
    read_plan,
    rewrite_plan,
    seconds_left,
    write_plan,
)
from tests.runs.run_doubles import record
from tests.sweep.conftest import MakeSweep

HOW_LONG = 900 / 4.0 + 2 * 10 + 20
"""Seconds that 900 steps at four a second take with two evaluations of 10 episodes and one of 20, a second each."""


def earlier(*settings: str, seed: int = 0, finished: bool = True) -> RunDirectory:
    resolved = resolve("atari-pong-1pct", [], None, settings, {"seed": seed})
    run = create_run(None, resolved.config, resolved.origins, ["lamo"])
    return record(run, [1.0], finished=finished, steps=100)


def test_a_plan_reads_back_as_it_was_written(make_sweep: MakeSweep) -> None:
    earlier()
    folder, plan = make_sweep(["none", "frozen"], [0, 1], settings=("optim.clip=0.5",))
    assert read_plan(find_sweep("last")) == plan
    assert folder.path.parent.name == "sweeps"
    assert [run.run.path.parent.name for run in list_runs()] == ["runs"]


def test_plans_of_earlier_versions_read(make_sweep: MakeSweep) -> None:
    folder, _ = make_sweep()
    values = json.loads(folder.plan_file.read_text())
    flags = {"seed": 3, "device": "auto", "data.ratio": 0.05, "name": "atari-pong-5pct"}
    values["runs"][0]["item"] = {
        "key": "atari-pong-5pct-s3",
        "preset": "atari-pong-10pct",
        "method": "lamo",
        "ablations": ["frozen"],
        "settings": ["optim.steps=7"],
        "flags": flags,
    }
    folder.plan_file.write_text(json.dumps(values))
    (run,) = read_plan(folder).runs
    config = run.spec.resolve().config
    assert (run.key, config.name, config.data.ratio) == ("atari-pong-5pct-s3", "atari-pong-5pct", 0.05)
    assert (config.method, config.model.adapter, config.optim.steps, config.seed) == ("lamo", "frozen", 7, 3)
    assert run.to_dict()["item"] == values["runs"][0]["item"]


def test_a_finished_run_with_equal_settings_is_not_run_again(make_sweep: MakeSweep) -> None:
    same = earlier("device=cpu", "checkpoint.keep=7")
    earlier("optim.clip=0.5", seed=1)
    _, plan = make_sweep(seeds=[0, 1])
    assert [run.done for run in plan.runs] == [same.id, ""]
    assert len(plan.open) == 1
    fresh = make_plan("again", plan.grid, list_runs(), reuse=False)
    assert len(fresh.open) == 2


def test_time_comes_from_runs_like_it_and_is_unknown_without(make_sweep: MakeSweep) -> None:
    run = earlier(seed=5, finished=False)
    _, plan = make_sweep(["none", "frozen", "context-length-20"])
    like, other, longer = plan.runs
    assert like.source == run.id
    assert like.seconds == pytest.approx(HOW_LONG)
    # a trunk that is frozen never ran here, but the preset says what it is sized for; longer windows nobody knows
    assert (other.seconds, other.source, plan.budgeted) == (360.0, "preset", 1)
    assert (longer.seconds, longer.source, plan.unknown) == (None, "", 1)
    assert plan.seconds == like.seconds + 360.0
    assert like.disk > other.disk > 1_000_000


def test_a_budget_grows_with_the_steps(make_sweep: MakeSweep) -> None:
    _, plan = make_sweep(settings=("optim.steps=1800",))
    assert [run.seconds for run in plan.runs] == [720.0]


def test_a_sweep_that_the_disk_cannot_hold_is_refused(make_sweep: MakeSweep, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 1000))
    with pytest.raises(StorageError, match="plan fewer runs"):
        make_sweep()


def test_names_are_unique_and_damaged_plans_are_errors(make_sweep: MakeSweep) -> None:
    with pytest.raises(UsageError, match="there are no sweeps"):
        find_sweep("last")
    folder, _ = make_sweep()
    with pytest.raises(UsageError, match="there is a sweep trial already"):
        new_folder("trial", [])
    with pytest.raises(UsageError, match="did you mean 'trial'"):
        find_sweep("trail")
    with pytest.raises(UsageError):
        new_folder("../x", [])
    with pytest.raises(UsageError, match="at most 100"):
        new_folder(300 * "x", [])
    for damaged in ("{}", '{"grid": {"tasks": []}, "runs": [{"item": []}], "name": "x", "created": 1}'):
        folder.plan_file.write_text(damaged)
        with pytest.raises(UsageError, match="damaged"):
            read_plan(folder)


def test_a_name_that_is_taken_in_the_meantime_keeps_its_plan(make_sweep: MakeSweep) -> None:
    late = new_folder("trial", [])
    folder, plan = make_sweep()
    with pytest.raises(UsageError, match="there is a sweep trial already"):
        write_plan(late, replace(plan, runs=()))
    assert read_plan(folder) == plan


def test_a_plan_that_could_not_be_written_leaves_its_name_free(
    make_sweep: MakeSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise StorageError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("lamo_core.sweep.plan.write_bytes", full)
        with pytest.raises(StorageError, match="full"):
            make_sweep()
    make_sweep()


def test_cores_are_divided_among_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamo_core.sweep.engines.usable_cpus", lambda: 16)
    slots = local_slots("cpu", 1, runs=100, jobs=4)
    assert [slot.environment["OMP_NUM_THREADS"] for slot in slots] == ["4"] * 4
    assert len(local_slots("cpu", 1, runs=3, jobs=8)) == 3


def test_several_small_runs_share_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    from lamo_core.runs.queue.devices import Card

    def two_cards() -> list[Card]:
        return [Card(0, 24 << 30, 20 << 30, "GPU-a"), Card(1, 24 << 30, 9 << 30, "GPU-b")]

    monkeypatch.setattr("lamo_core.sweep.engines.usable_cpus", lambda: 16)
    monkeypatch.setattr("lamo_core.sweep.engines.cards", two_cards)
    monkeypatch.setattr("lamo_core.runs.queue.devices.cards", two_cards)
    slots = local_slots("auto", 4 << 30, runs=100)
    # four fit on the first card, two on the second; both get work before one gets a second run
    assert [slot.card for slot in slots] == [0, 1, 0, 1, 0, 0]
    threads = {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    assert slots[1].environment == {**threads, "CUDA_VISIBLE_DEVICES": "GPU-b"}
    # runs whose own settings say cuda:1 must see both cards, or there would be no second one
    named = local_slots("cuda:1", 4 << 30, runs=100)
    assert [slot.card for slot in named] == [1, 1]
    assert "CUDA_VISIBLE_DEVICES" not in named[0].environment


def test_grids_of_other_versions_do_not_read(make_sweep: MakeSweep) -> None:
    folder, plan = make_sweep()
    text = folder.plan_file.read_text()
    folder.plan_file.write_text(text.replace('"ablate_all"', '"ablate_some"'))
    with pytest.raises(UsageError):
        read_plan(folder)
    assert isinstance(plan.grid, Grid)
    assert isinstance(folder.path, Path)


def test_a_sweep_grows_and_keeps_what_is_done(make_sweep: MakeSweep) -> None:
    same = earlier()
    folder, plan = make_sweep(seeds=[0, 1])
    later = earlier(seed=2)
    wider = extended(plan, widened(plan.grid, {"seeds": (1, 2, 3), "methods": ("dt",)}), list_runs())
    assert [run for run in wider.runs if run.key in {old.key for old in plan.runs}] == list(plan.runs)
    done = {run.key: run.done for run in wider.runs if run.done}
    assert done == {"atari-pong-1pct-s0": same.id, "atari-pong-1pct-s2": later.id}
    assert len(wider.runs) == 8
    rewrite_plan(folder, wider)
    assert read_plan(folder) == wider
    assert [run.done for run in extended(plan, wider.grid, list_runs(), reuse=False).runs if run.done] == [same.id]


def test_random_weights_take_as_long_as_trained_ones(make_sweep: MakeSweep) -> None:
    run = earlier(seed=5)
    _, plan = make_sweep(["no-pretraining"])
    assert plan.runs[0].source == run.id


def test_what_is_left_is_told_by_what_was_done_meanwhile(make_sweep: MakeSweep) -> None:
    _, plan = make_sweep(["none", "context-length-20"])
    keys = {run.key for run in plan.runs}
    assert seconds_left(plan, keys, []) == (360.0, 1)
    run = earlier(seed=5, finished=False)
    seconds, unknown = seconds_left(plan, keys, list_runs())
    assert seconds == pytest.approx(HOW_LONG)
    assert unknown == 1
    assert seconds_left(plan, set(), list_runs()) == (0.0, 0)
    assert run.run_file.is_file()


def test_a_preset_that_changes_later_does_not_split_a_sweep(
    make_sweep: MakeSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, plan = make_sweep(settings=("optim.clip=0.5",))
    flags = {"seed": 0, "device": "auto"}
    real = resolve("atari-pong-1pct", [], None, ["optim.clip=0.5"], flags)
    assert planned_settings(plan.runs[0]) == real
    changed = resolve("atari-pong-1pct", [], None, ["optim.clip=0.25", "optim.steps=7"], flags)
    monkeypatch.setattr(RunSpec, "resolve", lambda spec: changed)
    (run,) = read_plan(folder).runs
    kept = planned_settings(run)
    assert kept.config == real.config
    assert {name for name, origin in kept.origins.items() if origin == "sweep's plan"} == {"optim.clip", "optim.steps"}
    assert kept.origins["optim.learning_rate"] == real.origins["optim.learning_rate"]

    def gone(spec: RunSpec) -> Resolved:
        raise UsageError("there is no preset 'atari-pong-1pct'")

    monkeypatch.setattr(RunSpec, "resolve", gone)
    kept = planned_settings(run)
    assert kept.config == real.config
    assert set(kept.origins.values()) == {"sweep's plan"}


@pytest.mark.parametrize(
    "change",
    [
        {"seconds": "x"},
        {"disk": "x"},
        {"memory": None},
        {"done": 5},
        {"done": "../../../etc"},
        {"config": 5},
        {"config": {"optim": {"steps": "x"}}},
        {"item": {"key": [1], "preset": "atari-pong-1pct"}},
    ],
)
def test_a_plan_with_values_of_no_plan_is_damaged(root: Path, change: dict[str, object]) -> None:
    folder = new_folder("s", ["atari-pong"])
    write_plan(folder, make_plan("s", Grid((("atari-pong", (0.01,)),)), []))
    values = json.loads(folder.plan_file.read_text())
    values["runs"][0] |= change
    folder.plan_file.write_text(json.dumps(values))
    with pytest.raises(UsageError, match="is damaged or missing"):
        read_plan(folder)


def test_a_journal_names_no_run_outside_of_the_folder(root: Path) -> None:
    folder = new_folder("s", ["atari-pong"])
    folder.path.mkdir(parents=True)
    folder.journal_file.write_text(json.dumps({"item": "a", "event": "started", "run": "../../../tmp"}) + "\n")
    assert folder.run(Journal(folder).record("a").run).path.parent == folder.root
