"""What is killed: trainings of several kinds and all else that writes, and what of each must be as if undisturbed."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lamo_core.data.formats.vector_file import read_vectors
from lamo_core.evaluation.replay_file import load_replay
from lamo_core.runs.directory import RunDirectory, run_ids
from lamo_core.runs.status import read_state
from lamo_core.training.checkpoint import read_checkpoint
from tests.cli.train.test_killed import told
from tests.data.sources.made_sources import d4rl_tables, write_d4rl
from tests.language.conftest import WORDS

_TINY = {
    "model.backbone": "random:mini", "model.context": 4, "optim.steps": 4, "optim.batch_size": 2,
    "optim.micro_batch_size": 2, "eval.every": 2, "eval.episodes": 1, "eval.final_episodes": 1,
    "checkpoint.every": 1, "checkpoint.keep": 2, "task.max_steps": 6,
}  # fmt: skip


@dataclass(frozen=True)
class Work:
    """Something that a kill may break off, and that the same words or others go on with."""

    name: str
    begin: list[str]
    outcome: Callable[[Path], Any]
    """All that the work leaves, from the folder that it was done in."""
    go_on: list[str] | None = None
    """None where the same words go on."""
    largest: int = 10_000_000
    """Bytes of the largest file that it writes; 0 where processes that it starts do."""
    begun: Callable[[Path], bool] = lambda folder: True
    """Whether there is something to go on with."""
    shared: tuple[str, ...] = ()
    """Folders of the undisturbed work that others may use as they are, such as a cache."""


def _train(name: str, preset: str, *words: str, largest: int = 10_000_000, **settings: Any) -> Work:
    changed = {**_TINY, **{key.replace("__", "."): value for key, value in settings.items()}}
    pairs = [word for key, value in changed.items() for word in ("--set", f"{key}={value}")]
    begin = ["train", "--preset", preset, "--device", "cpu", *words, *pairs]
    return Work(name, begin, _trained, ["train", "--resume", "last"], largest, _has_run, ("cache", "data"))


def _runs(folder: Path) -> list[RunDirectory]:
    root = folder / "runs"
    return [RunDirectory(root / name) for name in sorted(run_ids(root))] if root.is_dir() else []


def _has_run(folder: Path) -> bool:
    return bool(_runs(folder))


def _trained(folder: Path) -> Any:
    """Return weights, optimiser, random numbers, metrics, evaluations and replays of a folder's runs."""
    return [_of_run(run) for run in _runs(folder)]


def _of_run(run: RunDirectory) -> Any:
    saved = {}
    for path in sorted(run.checkpoints.glob("*.pt")):
        checkpoint = read_checkpoint(path)
        saved[path.name] = [checkpoint.step, checkpoint.weights, checkpoint.training]
    replays = {path.name: vars(load_replay(path).episode) for path in sorted(run.replays.glob("*.npz"))}
    left = [str(path.relative_to(run.path)) for path in run.path.rglob("*") if path.name.startswith(("tmp", "."))]
    return [read_state(run)[1].state, saved, told(run), replays, left]


def _files(folder: Path, *names: str) -> dict[str, str]:
    """Return the hashes of all files below folders, by name, without what says when they were made."""
    found = {}
    for name in names:
        for path in sorted((folder / name).rglob("*")):
            if path.is_file() and path.suffix not in (".lock", ".log"):
                found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _pretrained(folder: Path) -> Any:
    saved = torch.load(folder / "model/checkpoint.pt", weights_only=True)
    saved.pop("elapsed")
    found = _files(folder, "model")
    model = {name: digest for name, digest in found.items() if name.endswith((".safetensors", "tokenizer.json"))}
    return [saved, model, sorted(found)]


def _vectors(folder: Path) -> Any:
    """Return every set of vectors below the folder, and the names of all files beside them."""
    sets = {}
    for path in sorted(folder.rglob("*.lamovec")):
        content = vars(read_vectors(path))
        sets[path.name] = {name: value for name, value in content.items() if isinstance(value, np.ndarray)}
    names = [str(path.relative_to(folder)) for path in folder.rglob("*") if "tmp" in path.name or ".part" in path.name]
    return [sets, names]


def _frames(folder: Path) -> Any:
    return [_files(folder, "data"), [path.name for path in (folder / "data").rglob("tmp*")]]


WORKS: tuple[Work, ...] = (
    _train("Atari", "atari-breakout-0.1pct", optim__ema_decay=0.9, model__dropout=0.1),
    _train("Atari, adapter=full", "atari-breakout-0.1pct", model__adapter="full", largest=40_000_000),
    _train("MuJoCo, language loss, dropout, averaging", "mujoco-hopper-1pct", language__weight=0.1, model__dropout=0.2,
           optim__ema_decay=0.9, model__backbone="mini", language__source="text.txt", language__block_size=16,
           language__batch_size=1),
    _train("MuJoCo, adapter=full", "mujoco-hopper-1pct", model__adapter="full", largest=40_000_000),
    _train("a value method", "mujoco-hopper-1pct", "--method", "td3+bc"),
    _train("Reacher2d", "mujoco-reacher2d-10pct", model__dropout=0.1, eval__unseen_episodes=2),
    Work("pre-training", ["pretrain", "text.txt", "--out", "model", "--layers", "1", "--width", "16", "--heads", "2",
                          "--vocab", "300", "--steps", "12", "--sequence", "16", "--batch", "2", "--save-every", "2",
                          "--device", "cpu"], _pretrained, largest=400_000),
    Work("collecting", ["data", "collect", "reacher2d-mixed", "--out", "collected", "--episodes", "4", "--seed", "3"],
         _vectors, largest=60_000),
    Work("importing", ["data", "import", "source.hdf5", "--name", "mine", "--task", "mujoco-hopper"], _vectors,
         largest=0, begun=lambda folder: not (folder / "data/imported/mine").is_dir()),
    Work("sweeps", ["sweep", "--tasks", "reacher2d", "--ratios", "10%", "--seeds", "2", "--yes", "--name", "trial",
                    "--jobs", "1", "--device", "cpu",
                    *[word for key, value in _TINY.items() for word in ("--set", f"{key}={value}")]],
         _trained, ["sweep", "--resume", "trial", "--yes", "--jobs", "1"], 0,
         begun=lambda folder: (folder / "runs/sweeps/trial/plan.json").is_file()),
    Work("frame caches", ["data", "get", "pong-medium", "--ratio", "0.1%"], _frames, largest=0),
)  # fmt: skip


def prepare(folder: Path) -> None:
    """Write what works read into their folder."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    (folder / "text.txt").write_text("\n".join(" ".join(rng.choice(WORDS, 12)) for _ in range(300)) + "\n")
    write_d4rl(folder / "source.hdf5", d4rl_tables())


def environment(folder: Path) -> dict[str, str]:
    """Return the variables that keep a work in its folder."""
    places = {f"LAMO_{name.upper()}": str(folder / name) for name in ("runs", "cache", "data", "state")}
    return {**places, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": os.pathsep.join(
        [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])}  # fmt: skip


def share(work: Work, whole: Path, folder: Path) -> None:
    """Give a folder what the undisturbed work made and any other may use."""
    for name in work.shared:
        if (whole / name).is_dir():
            shutil.copytree(whole / name, folder / name, dirs_exist_ok=True)
