"""How many windows go through a policy at once: chosen once, told, and kept wherever the run goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamo_core.config import RunConfig, parse_setting
from lamo_core.errors import UsageError
from lamo_core.runs.directory import is_sound
from lamo_core.runs.log.narration import narrate
from lamo_core.runs.timing.estimate import memory_bytes
from lamo_core.settings.presets import resolve
from lamo_core.training.events import Started
from lamo_core.training.micro_batches import micro_batch_size
from lamo_core.training.session import new_session, resume_session
from tests.training.conftest import MakeConfig
from tests.training.test_loop import losses, run


def choice(width: int, context: int, device: str, batch: int = 128, asked: int | str = "auto") -> int:
    optim = {"batch_size": batch, "micro_batch_size": asked}
    return micro_batch_size(RunConfig.from_dict({"optim": optim, "model": {"context": context}}), width, device)


def test_processors_take_what_their_caches_hold_and_cards_the_batch() -> None:
    assert choice(256, 30, "cpu") == 8
    assert choice(768, 30, "cpu") == 8  # no fewer: reading its matrices would cost more than using them
    assert choice(128, 20, "cpu") == 32
    assert choice(256, 5, "cpu") == 64
    assert choice(768, 1024, "cpu") == 1
    assert choice(256, 30, "cpu", batch=5) == 5
    assert choice(768, 30, "cuda") == 128
    assert choice(1024, 30, "mps", batch=1024) == 128
    assert choice(256, 30, "cpu", asked=16) == choice(256, 30, "cuda", asked=16) == 16
    assert choice(256, 30, "cpu", batch=4, asked=16) == 4


def test_the_setting_is_a_number_or_auto_and_nothing_else() -> None:
    assert parse_setting("optim.micro_batch_size", "auto") == "auto"
    assert parse_setting("optim.micro_batch_size", "12") == 12
    for wrong in ("many", "1.5"):
        with pytest.raises(UsageError, match=r"optim\.micro_batch_size wants a whole number or auto"):
            parse_setting("optim.micro_batch_size", wrong)
    for value in ("many", 2.5, True, None):
        with pytest.raises(UsageError, match="a whole number or auto"):
            RunConfig.from_dict({"optim": {"micro_batch_size": value}})
    with pytest.raises(UsageError, match="between 1 and"):
        RunConfig.from_dict({"optim": {"micro_batch_size": 0}})
    with pytest.raises(UsageError, match="wants a whole number, not 'auto'"):
        RunConfig.from_dict({"optim": {"batch_size": "auto"}})
    config = resolve("paper-atari-breakout").config
    assert is_sound(config.to_dict())
    assert not is_sound({"optim": {"batch_size": "auto"}})
    assert RunConfig.from_dict(config.to_dict()) == config
    assert memory_bytes(config) > memory_bytes(resolve("paper-atari-breakout", settings=["device=cpu"]).config)


def test_the_choice_is_told_and_kept_at_resume(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(optim={"micro_batch_size": "auto", "batch_size": 5}, model={"context": 80})
    chosen = micro_batch_size(config, 256, "cpu")
    assert chosen == 4
    whole = run(new_session(config), tmp_path / "whole")
    assert isinstance(whole[0], Started)
    assert whole[0].micro_batch == 4
    assert "4 windows at once" in narrate(whole[0])
    first = run(new_session(config), tmp_path / "parts", stop_after=4)
    resumed = resume_session(tmp_path / "parts" / "last.pt")
    assert resumed.config.optim.micro_batch_size == 4
    assert losses(first) + losses(run(resumed, tmp_path / "parts")) == losses(whole)


def test_a_run_that_began_on_another_device_keeps_its_number(make_config: MakeConfig, tmp_path: Path) -> None:
    session = new_session(make_config(optim={"micro_batch_size": 3}))
    session.save(tmp_path / "saved.pt")
    assert resume_session(tmp_path / "saved.pt").config.optim.micro_batch_size == 3


@pytest.mark.parametrize("preset", ["atari-breakout-1pct", "mujoco-hopper-10pct", "kitchen-complete-30pct"])
def test_presets_whose_results_ship_keep_their_number(preset: str) -> None:
    assert isinstance(resolve(preset).config.optim.micro_batch_size, int)
