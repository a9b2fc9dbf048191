"""Which library draws simulator pictures on this machine; found out apart, because a broken one can crash a process.

Each candidate draws a small picture in a process of its own. The answer is kept in the cache folder, so that only the
first use of a machine waits for it.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from lamo_core.errors import StorageError
from lamo_core.files import write_bytes
from lamo_core.places import cache_dir
from lamo_core.tasks.task import Task
from lamo_core.untrusted.parsing import parse_json

DRAWING = "drawing"
"""Schematic pictures by this project's own code, which need no library."""
_CANDIDATES = {"Linux": ("egl", "osmesa"), "Darwin": ("cgl",), "Windows": ("glfw",)}
OFF = ("disable", "disabled", "off", "false", "0")
_SECONDS = 60.0
"""A library that takes longer for one small picture is of no use."""
_TRUSTED = {True: 7 * 86_400.0, False: 86_400.0}
"""Seconds for which an answer is believed, by whether it was a good one: missing libraries get installed."""


@dataclass(frozen=True)
class Probe:
    """Whether a library draws, and what it said if not."""

    backend: str
    works: bool
    seconds: float
    reason: str = ""


def choose_backend(wanted: str = "") -> str:
    """Return the library to draw with, or `drawing`.

    `wanted` names one; else MUJOCO_GL does, as for MuJoCo itself; else the first that works is taken. One that is
    named and does not work gives `drawing` too.
    """
    name = (wanted or os.environ.get("MUJOCO_GL", "")).lower().strip()
    if name == DRAWING or name in OFF:
        return DRAWING
    candidates = _CANDIDATES.get(platform.system(), ())
    if name in (*candidates, "egl", "osmesa", "cgl", "glfw"):
        candidates = (name,)
    return _first_working(candidates)


def is_schematic(task: Task) -> bool:
    """Return whether pictures of a task are drawings for want of a library; those of games are the games' own."""
    return task.simulation.schematic and choose_backend() == DRAWING


def candidates() -> tuple[str, ...]:
    """Return the libraries that this operating system may have."""
    return _CANDIDATES.get(platform.system(), ())


@lru_cache
def _first_working(names: tuple[str, ...]) -> str:
    known = _read_answers()
    for name in names:
        probe = known.get(name)
        if probe is None:
            probe = probe_backend(name)
        if probe.works:
            return name
    return DRAWING


def probe_backend(name: str) -> Probe:
    """Let a library draw in another process, note the answer for the next time, and return it."""
    code = f"from lamo_core.tasks.rendering.gl_renderer import prove; print('contrast', prove({name!r}))"
    environment = {**os.environ, "MUJOCO_GL": name}
    if name in ("egl", "osmesa"):
        environment["PYOPENGL_PLATFORM"] = name
    start = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
        )
        reason = _reason(done)
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = "it did not answer in time" if isinstance(error, subprocess.TimeoutExpired) else str(error)
    probe = Probe(name, not reason, round(time.perf_counter() - start, 2), reason)
    _keep(probe)
    return probe


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """Return "" for a good answer, else why it is none, in a line."""
    if done.returncode < 0:
        return f"it crashed with signal {-done.returncode}"
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line and not line[0].isspace()]
        errors = [line for line in lines if "Error" in line.split(":")[0]]
        # This is how PyOpenGL says that it found no library behind a function.
        if any("'NoneType' object has no attribute" in line for line in errors):
            return "its library is not installed"
        return (errors or lines or ["it failed without a word"])[0][:200]
    contrast = float(done.stdout.split("contrast")[-1])
    return "" if contrast > 1 else "its pictures are empty"


def _key() -> str:
    try:
        mujoco = version("mujoco")
    except PackageNotFoundError:
        mujoco = "none"
    # Home folders are shared between machines with and without a graphics card.
    return f"{platform.node()} mujoco {mujoco}"


def _read_answers() -> dict[str, Probe]:
    try:
        answers = parse_json((cache_dir() / "pictures.json").read_text())[_key()]
        probes = {name: (Probe(**answer["probe"]), float(answer["time"])) for name, answer in answers.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    now = time.time()
    return {name: probe for name, (probe, at) in probes.items() if 0 <= now - at < _TRUSTED[probe.works]}


def _keep(probe: Probe) -> None:
    path = cache_dir() / "pictures.json"
    try:
        answers = parse_json(path.read_text())
        answers = answers if isinstance(answers, dict) else {}
    except (OSError, ValueError):
        answers = {}
    machine = answers.get(_key())
    answers[_key()] = {
        **(machine if isinstance(machine, dict) else {}),
        probe.backend: {"probe": asdict(probe), "time": time.time()},
    }
    # Without a cache folder every process asks again; that is slower and nothing else.
    with suppress(StorageError):
        write_bytes(path, json.dumps(answers, indent=1).encode(), "LAMO_CACHE=FOLDER")
