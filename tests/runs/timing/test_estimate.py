"""What a run will cost, told by runs that were long enough to tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lamo_core.config import RunConfig
from lamo_core.runs.create import create_run
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.index import list_runs
from lamo_core.runs.timing.estimate import disk_bytes, estimate, memory_bytes, trained_weights
from lamo_core.runs.writer import RunWriter
from lamo_core.settings.presets import resolve
from lamo_core.training.events import Stopped
from tests.runs.run_doubles import FakeClock, eval_done, score, started, step_done

HOPPER = "mujoco-hopper-10pct"
PLAIN = ("eval.every=0", "eval.final_episodes=10", "optim.steps=1000")


def config(*settings: str, **kinds: Any) -> RunConfig:
    return resolve(HOPPER, settings=[*PLAIN, *settings], **kinds).config


def done(
    steps: int, step_seconds: float, episode_seconds: float | None = 0.5, *, loading: float = 60.0
) -> RunDirectory:
    """Write a finished run: its steps and its episodes take so long, and what comes before takes `loading`."""
    clock = FakeClock()
    resolved = resolve(HOPPER, settings=[*PLAIN, f"optim.steps={steps}"])
    run = create_run(None, resolved.config, resolved.origins, ["lamo"])
    with RunWriter(run, clock=clock) as writer:
        clock.now += loading
        writer.write(started(total=steps))
        for step in range(1, steps + 1):
            clock.now += step_seconds
            writer.write(step_done(step, seconds=step_seconds))
        if episode_seconds is not None:
            clock.now += 2 * episode_seconds
            writer.write(eval_done(steps, score([1.0, 2.0]), seconds=2 * episode_seconds, final=True))
        writer.write(Stopped(steps, clock.now, reason="finished", message=""))
    return run


@pytest.mark.parametrize(("steps", "seconds"), [(2, 10.0), (19, 10.0), (1000, 0.01)])
def test_a_tiny_run_tells_nothing(root: Path, steps: int, seconds: float) -> None:
    done(steps, seconds)
    assert estimate(config(), list_runs()) is None
    # it does not hide one that does
    run = done(200, 0.25)
    done(steps, seconds)
    found = estimate(config(), list_runs())
    assert found is not None
    assert [one.id for one in found.runs] == [run.id]


@pytest.mark.parametrize("loading", [0.0, 60.0, 6_000.0])
@pytest.mark.parametrize("steps", [200, 1000])
def test_loading_is_left_out(root: Path, steps: int, loading: float) -> None:
    done(steps, 0.25, loading=loading)
    found = estimate(config(), list_runs())
    assert found is not None
    assert found.seconds == pytest.approx(1000 * 0.25 + 10 * 0.5)


def test_the_median_of_the_newest_few_counts(root: Path) -> None:
    for seconds in (0.25, 0.25, 0.25, 0.5, 9.0):
        done(200, seconds)
    found = estimate(config(), list_runs())
    assert found is not None
    assert len(found.runs) == 5
    assert found.seconds == pytest.approx(1000 * 0.25 + 10 * 0.5)


def test_several_targets_take_several_times_as_long(root: Path) -> None:
    done(200, 0.25)
    found = estimate(config("eval.targets=[1,2,3]"), list_runs())
    assert found is not None
    assert found.seconds == pytest.approx(1000 * 0.25 + 30 * 0.5)


def test_evaluations_that_nobody_measured_are_not_made_up(root: Path) -> None:
    done(200, 0.25, None)
    found = estimate(config(), list_runs())
    assert found is not None
    assert (found.seconds, found.evaluations_known) == (pytest.approx(250.0), False)
    without = estimate(config("eval.final_episodes=0"), list_runs())
    assert without is not None
    assert without.evaluations_known


def test_damaged_records_of_evaluations_are_passed_over(root: Path) -> None:
    run = done(200, 0.25, None)
    odd = [
        {"scores": 5},
        {"scores": [5]},
        {"scores": [{"episodes": "x"}]},
        {"scores": [{"episodes": 3}], "seconds": "x"},
    ]
    with run.events_file.open("a") as file:
        for record in odd:
            file.write(json.dumps({"event": "EvalDone", "step": 200, **record}) + "\n")
    found = estimate(config(), list_runs())
    assert found is not None
    assert not found.evaluations_known


def test_disk_is_not_told_by_a_run_with_fewer_checkpoints(root: Path) -> None:
    done(200, 0.25)
    assert disk_bytes(config(), list_runs()) == disk_bytes(config(), [])
    done(1000, 0.25)
    told = disk_bytes(config(), list_runs())
    assert told is not None
    assert told < 1_000_000  # the made-up run has saved nothing


def folder_of(path: Path, **config: Any) -> str:
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config))
    return str(path)


def test_a_folder_of_a_known_shape_costs_what_its_name_does(tmp_path: Path) -> None:
    medium = {"model_type": "gpt2", "n_embd": 1024, "n_layer": 24, "n_head": 16, "vocab_size": 50257}
    folder = folder_of(tmp_path / "big", **medium)
    for adapter in ("lora", "full", "frozen"):
        by_name, by_folder = (
            config(f"model.backbone={name}", f"model.adapter={adapter}") for name in ("gpt2-medium", f"random:{folder}")
        )
        assert memory_bytes(by_folder) == memory_bytes(by_name)
        assert disk_bytes(by_folder, []) == disk_bytes(by_name, [])
    assert (memory_bytes(by_name) or 0) > 2_000_000_000


@pytest.mark.parametrize("name", ["nobody/nothing", "random:nobody/nothing", "./missing", "random:unheard-of"])
def test_what_is_not_known_is_not_guessed(name: str, tmp_path: Path) -> None:
    unknown = config(f"model.backbone={name}")
    assert (memory_bytes(unknown), disk_bytes(unknown, []), trained_weights(unknown)) == (None, None, None)
    without_sizes = config(f"model.backbone={folder_of(tmp_path / 'odd', model_type='odd')}")
    assert memory_bytes(without_sizes) is None
    # methods without a trunk need none
    assert memory_bytes(config(f"model.backbone={name}", method="td3+bc")) is not None


def test_what_adapters_are_put_on_counts() -> None:
    sizes = [trained_weights(config(f"model.lora_targets={name}")) for name in ("attention", "attention-output", "all")]
    assert None not in sizes
    assert sizes == sorted(sizes, key=lambda size: size or 0)
    assert len(set(sizes)) == 3
