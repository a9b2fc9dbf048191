"""Without the libraries that play a task, one sentence says what to install, before anything else is done."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

from lamo_core.config import TaskConfig
from lamo_core.errors import MissingError
from lamo_core.settings.presets import preset_names, resolve
from lamo_core.tasks import requirements
from lamo_core.tasks.registry import get_task, make_batch
from lamo_core.tasks.requirements import require_environment
from lamo_core.training.session import new_session


@pytest.fixture
def without_mujoco(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(name: str) -> Any:
        return None if name in ("mujoco", "gymnasium_robotics") else find_spec(name)

    monkeypatch.setattr(requirements, "find_spec", found)


@pytest.mark.usefixtures("without_mujoco")
def test_what_is_missing_is_named() -> None:
    require_environment(get_task("atari-pong"))
    with pytest.raises(MissingError, match=r"Hopper is played by mujoco, .*\[mujoco\]'"):
        make_batch(TaskConfig(name="mujoco-hopper"), 1)
    with pytest.raises(MissingError, match="mujoco and gymnasium_robotics"):
        require_environment(get_task("kitchen-partial"))


@pytest.mark.usefixtures("without_mujoco")
def test_a_run_that_could_not_be_evaluated_does_not_start() -> None:
    with pytest.raises(MissingError, match="Reacher2d"):
        new_session(resolve("mujoco-reacher2d-10pct").config)


def test_there_is_a_preset_for_every_ratio_of_the_paper() -> None:
    ratios = {
        "mujoco-hopper": ("0.5", "1", "10", "100"),
        "mujoco-halfcheetah": ("0.5", "1", "10", "100"),
        "mujoco-walker2d": ("0.5", "1", "10", "100"),
        "mujoco-reacher2d": ("10", "30", "100"),
        "kitchen-partial": ("1", "10", "100"),
        "kitchen-complete": ("30", "50", "100"),
    }
    for task, percents in ratios.items():
        for percent in percents:
            config = resolve(f"{task}-{percent}pct").config
            assert config.task.name == task
            assert config.data.ratio == pytest.approx(float(percent) / 100)
            assert config.model.context == (5 if task == "mujoco-reacher2d" or task.startswith("kitchen") else 20)
        paper = resolve(f"paper-{task}").config
        assert (paper.optim.clip, paper.optim.warmup_steps, paper.optim.steps) == (0.25, 2500, 100_000)
        assert paper.model.embedding == ("linear" if task == "mujoco-hopper" else "mlp")
        assert paper.model.context == (5 if task == "mujoco-reacher2d" else 20)
        assert len(paper.eval.targets) == 2
        assert {f"{task}-{percent}pct" for percent in percents} | {f"paper-{task}"} <= set(preset_names())
