"""What works on this machine and what to install for the rest; every check is a line, and none of them raises."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from lamo_core.config import TaskConfig
from lamo_core.errors import LamoError
from lamo_core.install_hint import hint
from lamo_core.places import assets_dir, cache_dir, data_dir, runs_dir
from lamo_core.system_parts import lacking
from lamo_core.wording import counted

State = Literal["ok", "optional", "failed"]
"""`optional`: not there, and only what its line says needs it; `failed`: lamo does not work without it."""

_SMALL_DISK = 5e9
"""Bytes: the frames of a whole Atari set unpack to about 50 MB packed, a language model of the hub to 0.5 GB."""


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    name: str
    state: State
    found: str
    advice: str = ""
    """What to do about it."""


def examine() -> Iterator[Check]:
    """Yield every check as soon as it is done; takes some seconds, mostly for importing and for probing graphics."""
    for name, essential, check in _CHECKS:
        try:
            yield from check()
        except LamoError as error:
            yield Check(name, "failed" if essential else "optional", str(error).partition(";")[0], _after(str(error)))
        except Exception as error:  # a broken installation fails in its own ways, and this is where one finds out
            lines = str(error).strip().splitlines() or [""]
            what = f"{type(error).__name__}: {lines[0]}"[:200]
            state: State = "failed" if essential else "optional"
            yield Check(name, state, what, "install lamo-rl again in a fresh environment")


def _after(sentence: str) -> str:
    return sentence.partition("; ")[2]


def _python() -> Iterator[Check]:
    state: State = "ok" if sys.version_info >= (3, 11) else "failed"
    yield Check("Python", state, f"{platform.python_version()}, {platform.system()} {platform.machine()}")


def examine_system() -> Iterator[Check]:
    """Yield a check for each part that this operating system lacks."""
    for part, advice in lacking():
        yield Check("system", "optional", f"{platform.system()} has no {part}", advice)


def _torch() -> Iterator[Check]:
    import torch

    threads = torch.get_num_threads()
    yield Check("PyTorch", "ok", f"{torch.__version__}, {counted(threads, 'thread')}")
    cards = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        cards.append("Metal")
    if cards:
        yield Check("GPU", "ok", ", ".join(cards))
    else:
        yield Check("GPU", "optional", "none that PyTorch sees", "presets without `paper-` are sized for a CPU")


def _precision() -> Iterator[Check]:
    from lamo_core.training.device import resolve_device, resolve_precision

    device = resolve_device("auto")
    dtype = str(resolve_precision("auto", device)).removeprefix("torch.")
    yield Check("precision", "ok", f"{dtype} on {device.type}")


def _language_model() -> Iterator[Check]:
    from lamo_core.model.backbone import load_backbone

    backbone = load_backbone("mini")
    yield Check("language model", "ok", f"mini loads, width {backbone.width}; transformers {version('transformers')}")


def _atari() -> Iterator[Check]:
    from ale_py import roms

    from lamo_core.tasks.atari.atari_emulator import AtariEmulator

    emulator = AtariEmulator("breakout")
    emulator.reset(0)
    emulator.step(1)
    games = len(roms.get_all_rom_ids())
    yield Check("Atari", "ok", f"ale-py {version('ale-py')} plays, {counted(games, 'game')}")


def _mujoco() -> Iterator[Check]:
    yield _plays("MuJoCo", "mujoco-hopper", "mujoco", "Hopper, HalfCheetah, Walker2d and Reacher2d")
    yield _plays("kitchen", "kitchen-complete", "gymnasium-robotics", "the kitchen")


def _plays(name: str, task: str, package: str, what: str) -> Check:
    import numpy as np

    from lamo_core.tasks.registry import make_batch

    try:
        batch = make_batch(TaskConfig(name=task), 1)
        batch.reset(np.array([0]))
        batch.close()
    except LamoError as error:
        return Check(name, "optional", f"without it {what} cannot be played", _after(str(error)))
    return Check(name, "ok", f"{package} {version(package)} plays {what}")


def _pictures() -> Iterator[Check]:
    from lamo_core.tasks.rendering.backend import OFF, candidates, choose_backend, probe_backend

    if find_spec("mujoco") is None:
        return
    probes = [probe_backend(name) for name in candidates()]
    works = any(probe.works for probe in probes)
    for probe in probes:
        if probe.works:
            yield Check(f"pictures: {probe.backend}", "ok", f"draws without a screen; asked in {probe.seconds:.1f} s")
        else:
            advice = "" if works else _GRAPHICS.get(probe.backend, "")
            yield Check(f"pictures: {probe.backend}", "optional", probe.reason, advice)
    if named := os.environ.get("MUJOCO_GL", "").lower().strip():
        chosen = choose_backend()
        if chosen == named or named in OFF:
            yield Check("MUJOCO_GL", "ok", f"{named}: this decides what draws")
        else:
            found = f"{named} does not draw here; pictures are made by {chosen}"
            yield Check("MUJOCO_GL", "optional", found, "unset MUJOCO_GL, or set it to one of the above that draws")
    yield Check("pictures: drawing", "ok", "schematic pictures, which need no library")


_GRAPHICS = {
    "egl": "for real pictures: apt-get install libegl1 libgl1-mesa-dri",
    "osmesa": "or: apt-get install libosmesa6",
}


def _extras() -> Iterator[Check]:
    for packages, what, extra in _EXTRAS:
        missing = [name for name in packages if find_spec(name) is None]
        if missing:
            yield Check(what, "optional", f"not installed: {', '.join(missing)}", hint(extra))
        else:
            yield Check(what, "ok", "installed")


_EXTRAS = (
    (("PIL", "imageio_ffmpeg"), "videos", "video"),
    (("gguf",), "SmolLM2 import", "smollm2"),
    (("datasets",), "WikiText from the hub", "hub"),
    (("stable_baselines3",), "data collect --train", "collect"),
    (("onnx", "onnxscript", "onnxruntime"), "export to ONNX", "onnx"),
    (("PIL",), "RL Unplugged", "atari-data"),
)
"""Modules, what they are for, and the extra that installs them."""


def _parts() -> Iterator[Check]:
    sets = [path for folder in ("atari", "mujoco") for path in (assets_dir() / folder).glob("*.lamo*")]
    megabytes = sum(path.stat().st_size for path in sets) / 1e6
    state: State = "ok" if len(sets) >= 10 else "failed"
    advice = "" if state == "ok" else "install lamo-rl again"
    yield Check("bundled data", state, f"{counted(len(sets), 'set')}, {megabytes:.0f} MB", advice)


def _folders() -> Iterator[Check]:
    for name, folder, variable in (
        ("runs folder", runs_dir(), "LAMO_RUNS"),
        ("cache folder", cache_dir(), "LAMO_CACHE"),
        ("data folder", data_dir(), "LAMO_DATA"),
    ):
        yield _folder(name, folder.absolute(), variable)


def _folder(name: str, folder: Path, variable: str) -> Check:
    # The folder itself is only made when something is written; what counts is the nearest one that is there.
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Check(name, "failed", f"{folder}: {error.strerror}", f"choose another place with {variable}=FOLDER")
    free = shutil.disk_usage(place).free
    found = f"{folder}, {free / 1e9:,.1f} GB free"
    if free < _SMALL_DISK:
        return Check(name, "optional", found, f"little room; free some, or choose another place with {variable}=FOLDER")
    return Check(name, "ok", found)


def _hub() -> Iterator[Check]:
    set_to = {name: os.environ[name] for name in _SWITCHES if os.environ.get(name)}
    offline = any(value.lower() in ("1", "on", "yes", "true") for value in set_to.values())
    switches = ", ".join(f"{name}={value}" for name, value in set_to.items()) or "no switch is set"
    found = f"{'offline' if offline else 'online'} ({switches})"
    yield Check("model hub", "ok", found, "asked only for models that are named, such as model.backbone=gpt2")


_SWITCHES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")


def _packages() -> Iterator[Check]:
    names = ("gymnasium", "numpy", "tokenizers", "safetensors", "peft", "zstandard", "textual", "typer", "rich")
    missing = []
    for name in names:
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        yield Check("packages", "failed", f"not installed: {', '.join(missing)}", hint())
    else:
        yield Check("packages", "ok", ", ".join(f"{name} {version(name)}" for name in names[:5]))


_CHECKS: tuple[tuple[str, bool, Callable[[], Iterator[Check]]], ...] = (
    ("Python", True, _python),
    ("system", False, examine_system),
    ("packages", True, _packages),
    ("PyTorch", True, _torch),
    ("precision", True, _precision),
    ("language model", True, _language_model),
    ("bundled data", True, _parts),
    ("Atari", True, _atari),
    ("MuJoCo", False, _mujoco),
    ("pictures", False, _pictures),
    ("extras", False, _extras),
    ("folders", True, _folders),
    ("model hub", False, _hub),
)
"""Name, whether lamo needs it, and the check."""
