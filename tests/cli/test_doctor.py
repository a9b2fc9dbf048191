"""`lamo doctor`: what it finds, what it advises, and its exit code."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest
from typer.testing import CliRunner

import lamo_core.doctor as doctor
import lamo_core.tasks.rendering.backend as picture_backend
from lamo_core.errors import MissingError
from lamo_tui.cli.app import app


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LAMO_CACHE", "LAMO_RUNS", "LAMO_DATA"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


def test_it_finds_lamo_whole_and_says_so_in_json() -> None:
    done = CliRunner().invoke(app, ["doctor", "--json"])
    report = json.loads(done.stdout)
    assert (done.exit_code, report["ok"]) == (0, True), report
    found = {check["name"]: check for check in report["checks"]}
    for name in ("Python", "PyTorch", "GPU", "precision", "language model", "bundled data", "Atari", "model hub"):
        assert name in found
    assert found["runs folder"]["state"] == "ok"
    assert found["videos"]["state"] == "ok" or "[video]'" in found["videos"]["advice"]


def run_with(monkeypatch: pytest.MonkeyPatch, *checks: tuple[str, bool, object]) -> object:
    monkeypatch.setattr(doctor, "_CHECKS", checks)
    return CliRunner().invoke(app, ["doctor"])


def raising(error: Exception) -> object:
    def check() -> object:
        raise error
        yield

    return check


def test_what_lamo_needs_decides_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = raising(MissingError("the model is gone; install lamo-rl again"))
    result = run_with(monkeypatch, ("language model", True, missing))
    assert result.exit_code == 1
    assert "language model: install lamo-rl again" in result.output
    assert "does not work here yet: language model" in result.output
    result = run_with(monkeypatch, ("kitchen", False, missing))
    assert result.exit_code == 0
    assert "lamo works here" in result.output


def test_a_broken_library_is_a_line_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_with(monkeypatch, ("Atari", True, raising(OSError("libz.so: cannot open\nmore"))))
    assert result.exit_code == 1
    assert "OSError: libz.so: cannot open" in result.output
    assert "Traceback" not in result.output
    assert "more" not in result.output


def test_folders_that_cannot_be_written_or_are_full_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor._folder("runs folder", tmp_path / "a" / "b", "LAMO_RUNS").state == "ok"
    assert not (tmp_path / "a").exists()
    (tmp_path / "file").write_text("")
    broken = doctor._folder("runs folder", tmp_path / "file", "LAMO_RUNS")
    assert broken.state == "failed"
    assert "LAMO_RUNS=FOLDER" in broken.advice
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda place: type("Usage", (), {"free": 1e9}))
    assert doctor._folder("runs folder", tmp_path, "LAMO_RUNS").state == "optional"


def test_hub_switches_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in doctor._SWITCHES:
        monkeypatch.delenv(name, raising=False)
    assert next(doctor._hub()).found.startswith("online")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert next(doctor._hub()).found == "offline (HF_HUB_OFFLINE=1)"


@pytest.mark.parametrize(
    ("named", "works", "state", "found"),
    [
        ("egl", ("egl",), "ok", "egl: this decides what draws"),
        ("osmesa", ("egl",), "optional", "osmesa does not draw here; pictures are made by drawing"),
        ("nonsense", ("egl",), "optional", "nonsense does not draw here; pictures are made by egl"),
        ("off", (), "ok", "off: this decides what draws"),
    ],
)
def test_a_library_that_is_named_and_does_not_draw_is_told(
    named: str, works: tuple[str, ...], state: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_backend, "candidates", lambda: ("egl", "osmesa"))
    monkeypatch.setattr(picture_backend, "_CANDIDATES", {platform.system(): ("egl", "osmesa")})
    monkeypatch.setattr(picture_backend, "probe_backend", lambda name: picture_backend.Probe(name, name in works, 1.0))
    monkeypatch.setattr(picture_backend, "_first_working", picture_backend._first_working.__wrapped__)
    monkeypatch.setenv("MUJOCO_GL", named)
    (check,) = (check for check in doctor._pictures() if check.name == "MUJOCO_GL")
    assert (check.state, check.found) == (state, found)
