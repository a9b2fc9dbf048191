"""Which library draws: asked in another process, remembered, and never able to take this process down."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lamo_core.tasks.registry import get_task, task_of
from lamo_core.tasks.rendering import backend
from lamo_core.tasks.rendering.backend import Probe, choose_backend, is_schematic, probe_backend


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMO_CACHE", str(tmp_path))
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    backend._first_working.cache_clear()


def answers(monkeypatch: pytest.MonkeyPatch, code: str) -> list[str]:
    """Let the other process run `code` instead of a graphics library; returns the calls."""
    calls: list[str] = []
    run = subprocess.run

    def other(command: list[str], **options: object) -> object:
        calls.append(command[-1])
        return run([sys.executable, "-c", code], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(backend.subprocess, "run", other)
    return calls


def test_a_library_that_crashes_gives_drawings_and_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = answers(monkeypatch, "import os; os.abort()")
    assert choose_backend() == "drawing"
    asked = len(calls)
    assert asked == len(backend.candidates())
    backend._first_working.cache_clear()
    assert choose_backend() == "drawing"
    assert len(calls) == asked


def test_a_good_answer_is_remembered_over_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = answers(monkeypatch, "print('contrast', 40.0)")
    first = choose_backend()
    assert first == backend.candidates()[0]
    backend._first_working.cache_clear()
    assert choose_backend() == first
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os.abort()", "signal 6"),
        ("raise ImportError('no such library')", "no such library"),
        ("print('contrast', 0.0)", "empty"),
    ],
)
def test_the_reason_of_a_failure_is_told(monkeypatch: pytest.MonkeyPatch, code: str, reason: str) -> None:
    answers(monkeypatch, code)
    probe = probe_backend("egl")
    assert not probe.works
    assert reason in probe.reason


def test_old_answers_and_damaged_ones_are_asked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = answers(monkeypatch, "print('contrast', 40.0)")
    (tmp_path / "pictures.json").write_text('{"cut')
    choose_backend()
    monkeypatch.setattr(backend.time, "time", lambda: 4e9)
    backend._first_working.cache_clear()
    choose_backend()
    assert len(calls) == 2


def test_the_environment_variable_and_the_argument_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = answers(monkeypatch, "print('contrast', 40.0)")
    assert choose_backend("drawing") == "drawing"
    monkeypatch.setenv("MUJOCO_GL", "off")
    assert choose_backend() == "drawing"
    assert not calls
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    assert choose_backend() == "osmesa"


def test_a_library_that_works_here_draws_what_the_drawing_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mujoco")
    from lamo_core.config import TaskConfig
    from lamo_core.tasks.rendering.mujoco import RenderedSimulator

    backend = choose_backend()
    if backend == "drawing":
        pytest.skip("no OpenGL library works here")
    config = TaskConfig(name="mujoco-reacher2d")
    shown = RenderedSimulator(config, task_of(config), height=60)
    shown.reset(0, 0)
    picture = shown.picture()
    assert shown.backend == backend
    assert picture.shape == (60, 80, 3)
    assert picture.std() > 5
    shown.close()
    assert isinstance(probe_backend(backend), Probe)


def test_a_graphics_library_that_fails_does_not_keep_anybody_from_playing() -> None:
    code = """
import os
import numpy as np
from lamo_core.config import TaskConfig
from lamo_core.tasks.registry import make_batch
from lamo_core.tasks.rendering.render_env import open_rendered
for name in ("mujoco-hopper", "gym:Swimmer-v5", "mujoco-reacher2d"):
    batch = make_batch(TaskConfig(name=name), 1)
    batch.reset(np.array([0]))
    batch.close()
print(os.environ["MUJOCO_GL"])
"""
    for named in ("nonsense", "osmesa"):
        environment = {**os.environ, "MUJOCO_GL": named}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.stdout == f"{named}\n", done.stderr


def test_drawings_are_told_apart_from_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUJOCO_GL", "off")
    assert is_schematic(get_task("mujoco-hopper"))
    assert is_schematic(get_task("kitchen-partial"))
    assert not is_schematic(get_task("atari-pong"))
    assert not is_schematic(get_task("gym:CartPole-v1"))
