"""The readers of binary files: whole files in small, how they are changed, and the doors that they go through."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from lamo_core.config import RunConfig, TaskConfig
from lamo_core.data.collect.recorded_games import RecordedEpisode, load_recorded, save_recorded
from lamo_core.data.collect.recorded_vectors import EpisodeBuilder, load_vectors, save_vectors
from lamo_core.data.formats.action_log import TABLE, LogHeader, read_log, write_log
from lamo_core.data.formats.frame_file import read_frame_file, write_frame_file
from lamo_core.data.formats.vector_file import read_vectors, write_vectors
from lamo_core.data.sources.dqn_slice import PARTS, cut_slice, read_columns
from lamo_core.data.store.frame_set import FrameSetWriter
from lamo_core.engine.engine import save_checkpoint
from lamo_core.errors import LamoError
from lamo_core.evaluation.replay_file import load_replay, save_replay
from lamo_core.evaluation.rollout_spec import EpisodeResult
from lamo_core.language.model_folder import export_model, language_model
from lamo_core.language.pretrain import _load_checkpoint, pretrain
from lamo_core.language.tokenizer import load_tokenizer, train_tokenizer
from lamo_core.model.backbone import load_backbone
from lamo_core.player.sources import record_label
from lamo_core.training import session as sessions
from lamo_core.training.checkpoint import _digest, load_policy, read_checkpoint
from lamo_core.untrusted.npy_array import map_npy
from tests.data.formats.test_vector_file import some_set
from tests.data.sources.made_sources import dqn_arrays, npy_bytes
from tests.language.conftest import TINY, WORDS
from tests.robustness.forms import (
    Change,
    changed_gzip,
    changed_log,
    changed_npz_part,
    changed_payload,
    changed_safetensors,
    changed_tensors,
    changed_vectors,
    changed_zip,
    either,
    mostly,
)
from tests.robustness.mutations import changed_bytes, changed_json, changed_npy, changed_value, dumped
from tests.robustness.trial import Reader
from tests.training.conftest import toy_store

GIVEN = "input"
Read = Callable[[Path], object]


@cache
def content(path: Path) -> bytes:
    return path.read_bytes()


def one_of(names: Sequence[str], change: Change, given: str = GIVEN) -> Callable[[Path, Path, Random], None]:
    """Return what writes a changed one of the whole files."""

    def write(whole: Path, folder: Path, rng: Random) -> None:
        name = rng.choice(names)
        (folder / given).write_bytes(change(content(whole / name), rng))

    return write


# checkpoints


def _checkpoints(folder: Path) -> None:
    sessions.open_data = lambda *arguments: toy_store()  # type: ignore[assignment]
    for name, model in (("lora", {"adapter": "lora"}), ("full", {"adapter": "full", "embedding": "linear"})):
        values = {
            "device": "cpu",
            "precision": "fp32",
            "model": {"backbone": "random:mini", "context": 4, "lora_rank": 2, **model},
            "optim": {"steps": 2, "batch_size": 2, "micro_batch_size": 2},
            "eval": {"every": 0, "final_episodes": 0},
        }
        session = sessions.new_session(RunConfig.from_dict(values))
        save_checkpoint(session, folder / name, False)
        (folder / f"{name}.pt").write_bytes((folder / name / "last.pt").read_bytes())
    # a tiny one, so that ten thousand of it can be read in no time
    small = torch.load(folder / "lora.pt", weights_only=True)
    few = [name for name, value in small["weights"].items() if value.numel() < 500][:6]
    small["weights"] = {name: small["weights"][name] for name in few}
    small["training"] = {"optimiser": small["training"].get("scheduler"), "step": 0}
    small["statistics"]["max_timestep"] = 100
    torch.save(small, folder / "small.pt")


def _with_digest(payload: Any) -> Any:
    if isinstance(payload, dict) and isinstance(payload.get("weights"), dict):
        try:
            payload["digest"] = _digest(payload["weights"])
        except (TypeError, AttributeError, RuntimeError):
            return payload
    return payload


_CHECKPOINT = either(changed_payload(_with_digest), mostly(changed_tensors))
_PRETRAINED = either(changed_payload(lambda payload: payload), mostly(changed_tensors))


def _text(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    path = folder / "text.txt"
    path.write_text("\n".join(" ".join(rng.choice(WORDS, 12)) for _ in range(200)) + "\n")
    return path


_PRETRAINING = replace(TINY, steps=2, width=8, heads=1, save_every=1)


def _pretrainings(folder: Path) -> None:
    for _ in pretrain(_text(folder), folder / "model", _PRETRAINING):
        pass
    (folder / "hash").write_text(torch.load(folder / "model/checkpoint.pt", weights_only=True)["text_hash"])
    (folder / "checkpoint.pt").write_bytes((folder / "model/checkpoint.pt").read_bytes())


def _read_pretraining(folder: Path) -> None:
    digest = (folder.parent / "whole" / "hash").read_text()
    _load_checkpoint(folder / GIVEN, _PRETRAINING, digest)


# language models


def _backbones(folder: Path) -> None:
    torch.manual_seed(0)
    shape = {"layers": 1, "width": 8, "heads": 2, "positions": 16, "vocabulary": 300, "end": 0}
    model = language_model({**_shape(), **{key: value for key, value in shape.items() if key in _shape()}})
    (folder / "model").mkdir()
    export_model(model, folder / "model")
    tokenizer = train_tokenizer([" ".join(WORDS)] * 20, 300)
    (folder / "model/tokenizer.json").write_text(tokenizer.to_str())
    for path in (folder / "model").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())


def _shape() -> dict[str, int]:
    from lamo_core.language.pretrain import _shape as shape_of_training

    tokenizer = train_tokenizer([" ".join(WORDS)] * 20, 300)
    return dict(shape_of_training(_PRETRAINING, tokenizer))


def _write_backbone(whole: Path, folder: Path, rng: Random) -> None:
    changes = {
        "model.safetensors": mostly(changed_safetensors),
        "config.json": changed_json,
        "tokenizer.json": changed_json,
    }
    chosen = rng.choice(("model.safetensors", "model.safetensors", "config.json", "config.json", "tokenizer.json"))
    for name, change in changes.items():
        data = content(whole / name)
        (folder / name).write_bytes(change(data, rng) if name == chosen else data)
    if rng.random() < 0.1:
        _odd_files(folder, rng)


def _odd_files(folder: Path, rng: Random) -> None:
    names = rng.choice((["a.safetensors"], ["../x"], ["model.safetensors"] * 3, [1], ["/etc/passwd"]))
    extra = {
        "model.safetensors.index.json": {"weight_map": {str(n): name for n, name in enumerate(names)}},
        "adapter_config.json": {"peft_type": "LORA", "base_model_name_or_path": "x"},
        "generation_config.json": {"max_new_tokens": 10**9},
    }
    name = rng.choice(list(extra))
    (folder / name).write_bytes(dumped(changed_value(extra[name], rng), rng))
    if rng.random() < 0.5:
        (folder / "model.safetensors").unlink()


def _read_backbone(folder: Path) -> None:
    load_backbone(str(folder))


def _read_tokenizer(folder: Path) -> None:
    load_tokenizer(folder / GIVEN).encode("the old sea")


# data sets


def _logs(folder: Path) -> None:
    rng = np.random.default_rng(0)
    table = np.zeros(3, TABLE)
    table["seed"], table["length"], table["terminated"] = [1, 2, 3], [40, 50, 60], 1
    write_log(folder / "log", LogHeader("tiny", "qbert", 6, ("one",)), table, rng.integers(0, 6, 150).astype(np.uint8))


def _vectors(folder: Path) -> None:
    write_vectors(folder / "vectors", some_set())
    discrete = some_set(actions=1)
    header = replace(discrete.header, discrete=True, actions=2)
    write_vectors(folder / "discrete", replace(discrete, header=header, actions=np.zeros(9, np.uint8)))


def _frames(folder: Path) -> None:
    rng = np.random.default_rng(0)
    frames = np.repeat(rng.integers(0, 255, (70, 1, 84), dtype=np.uint8), 84, 1)
    write_frame_file(folder / "frames", frames, np.arange(69, dtype=np.int32), bytes(16))


def _read_frames(folder: Path) -> None:
    file = read_frame_file(folder / GIVEN, 70, bytes(16))
    if file is not None:
        for index in range(file.blocks):
            file.block(index)
        file.rewards()


def _slices(folder: Path) -> None:
    for part, values in dqn_arrays((4, 7, 5, 9)).items():
        (folder / f"{part}.gz").write_bytes(gzip.compress(npy_bytes(values), 1))


def _write_slice(whole: Path, folder: Path, rng: Random) -> None:
    chosen = rng.choice(PARTS)
    for part in PARTS:
        data = content(whole / f"{part}.gz")
        (folder / f"{part}.gz").write_bytes(_SLICE(data, rng) if part == chosen else data)


_SLICE = mostly(changed_gzip(mostly(changed_npy, 0.7)))


def _read_slice(folder: Path) -> None:
    paths = {part: folder / f"{part}.gz" for part in PARTS}
    columns = read_columns(paths, 4)
    (folder / "out").mkdir()
    writer = FrameSetWriter(folder / "out", LogHeader("x", "breakout", 4, ("dqn",)))
    cut_slice(paths, columns, writer, lambda done, total: None)
    writer.finish()


def _episodes(folder: Path) -> None:
    save_recorded(
        folder, RecordedEpisode(1, 2, np.zeros(5, np.uint8), np.zeros(5, np.int32), True, "p", 0.1, bytes(16))
    )
    builder = EpisodeBuilder(2, "p", 0.5, np.zeros(3))
    for _ in range(4):
        builder.add(np.zeros(2, np.float32), np.ones(3), 1.0)
    save_vectors(folder, builder.finish(True))


def _read_episode(folder: Path) -> None:
    wanted: list[Any] = [load_recorded, load_vectors]
    errors = []
    for load in wanted:
        try:
            load(folder, 1)
        except LamoError as error:
            errors.append(error)
    if len(errors) == len(wanted):
        raise errors[0]


def _replays(folder: Path) -> None:
    for name, task, actions in (
        ("atari", TaskConfig("atari-breakout"), np.zeros(6, np.uint8)),
        ("vectors", TaskConfig("mujoco-hopper"), np.zeros((6, 3), np.float32)),
    ):
        wanted = np.full((6, 4), 0.25, np.float16) if name == "atari" else None
        rewards = np.arange(6.0)
        episode = EpisodeResult(9.0, 3, 2, actions, rewards, 15.0, True, False, np.zeros(6, np.float32), wanted)
        save_replay(folder / name, episode, task, {"run": "r", "step": 10.0, "context": "chunked"})


def _read_replay(folder: Path) -> None:
    replay = load_replay(folder / GIVEN)
    record_label(folder / GIVEN, replay)
    str(asdict(replay))


_ARCHIVE = mostly(changed_zip(changed_npz_part))

BINARY: tuple[Reader, ...] = (
    Reader("checkpoints", _checkpoints, one_of(["small.pt"], _CHECKPOINT),
           lambda folder: read_checkpoint(folder / GIVEN)),
    Reader("policies of checkpoints", _checkpoints, one_of(["lora.pt", "full.pt"], _CHECKPOINT),
           lambda folder: load_policy(folder / GIVEN, torch.device("cpu")), slow=True),
    Reader("checkpoints of pre-training", _pretrainings, one_of(["checkpoint.pt"], _PRETRAINED),
           _read_pretraining),
    Reader("language models", _backbones, _write_backbone, _read_backbone, slow=True, memory=1 << 30),
    Reader("tokenizers", _backbones, one_of(["tokenizer.json"], changed_json), _read_tokenizer,
           slow=True),
    Reader("action logs", _logs, one_of(["log"], mostly(changed_log)), lambda folder: read_log(folder / GIVEN)),
    Reader("vector files", _vectors, one_of(["vectors", "discrete"], mostly(changed_vectors)),
           lambda folder: read_vectors(folder / GIVEN)),
    Reader("frame files", _frames, one_of(["frames"], changed_bytes), _read_frames),
    Reader("slices of the DQN replay", _slices, _write_slice, _read_slice),
    Reader("collected episodes", _episodes, one_of(["1.npz", "2.npz"], _ARCHIVE, "1.npz"), _read_episode),
    Reader("replay files", _replays, one_of(["atari", "vectors"], _ARCHIVE), _read_replay),
    Reader("arrays", lambda folder: np.save(folder / "a.npy", np.arange(40, dtype=np.float32)),
           one_of(["a.npy"], changed_npy), lambda folder: map_npy(folder / GIVEN), refusals=(ValueError, OSError)),
)  # fmt: skip
