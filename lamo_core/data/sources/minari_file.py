"""Turns a Minari data set in its HDF5 form into a set of ours: vectors, or frames of an Atari game.

`main_data.hdf5` holds a group `episode_<i>` per episode with T + 1 `observations` and T `actions`, `rewards`,
`terminations` and `truncations` (minari/dataset/_storages/hdf5_storage.py). Pictures may be JPEG bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.formats.action_log import LogHeader
from lamo_core.data.formats.hdf5_file import Hdf5File
from lamo_core.data.formats.vector_file import VectorHeader, VectorSet, write_vectors
from lamo_core.data.kitchen_rewards import SOLVED_PER_STEP
from lamo_core.data.sources.d4rl_file import LEVEL, float_table, unit_actions
from lamo_core.data.sources.minari_spaces import DATA, MinariFacts, read_metadata
from lamo_core.data.store.cards import frames_card, vectors_card
from lamo_core.data.store.frame_set import FrameSetWriter
from lamo_core.data.store.local import VECTORS, write_card
from lamo_core.errors import MissingError
from lamo_core.install_hint import hint
from lamo_core.places import DATA_ELSEWHERE
from lamo_core.tasks.kitchen import SUBTASKS

_FRAMES_AT_ONCE = 64
_READING = "reading the episodes"
Report = Callable[[str, int, int], None]


def convert_minari(path: Path, out: Path, facts: dict[str, Any], report: Report) -> dict[str, Any]:
    """Write the data set in the folder `path` as a set with its card into `out` and return the card.

    `facts` are those of a card; an empty task is taken from the data set. Raises `MissingError`, `DataError`,
    `StorageError`.
    """
    described = read_metadata(path)
    facts = {**facts, "task": facts["task"] or described.task, "reward_unit": described.reward_unit}
    with Hdf5File(path / DATA) as file:
        found = sum(name.startswith("episode_") for name in file.names())
        if found != described.episodes:
            file.fail(f"it has {found:,} episodes instead of {described.episodes:,}")
        if described.picture == "none":
            return _write_vectors(file, described, out, facts, report)
        return _write_frames(file, described, out, facts, report)


@dataclass(frozen=True)
class _Steps:
    """All of an episode but the observations."""

    group: str
    actions: NDArray[Any]
    rewards: NDArray[np.float32]
    terminated: bool
    observations: Any
    """Unread table of T + 1 rows."""


def _episodes(file: Hdf5File, described: MinariFacts, report: Report) -> Iterator[_Steps]:
    pause = 20 if described.picture == "none" else 1
    for index in range(described.episodes):
        yield _steps(file, described, f"episode_{index}")
        if index % pause == 0:
            report(_READING, index, described.episodes)
    report(_READING, described.episodes, described.episodes)


def _steps(file: Hdf5File, described: MinariFacts, group: str) -> _Steps:
    rewards = float_table(file, f"{group}/rewards", file.read(file.numbers(f"{group}/rewards", ndim=1)))
    steps = len(rewards)
    actions = file.read(file.numbers(f"{group}/actions"))
    ended = file.read(file.numbers(f"{group}/terminations", ndim=1))
    if not steps or actions.shape != (steps, *described.action_shape) or len(ended) != steps:
        file.fail(f"{group} has {steps} rewards, actions of shape {actions.shape} and {len(ended)} ends")
    name = f"{group}/{described.observations}"
    pieces = described.picture != "none" and file.is_pieces(name)
    observations = file.pieces(name) if pieces else file.numbers(name)
    # JPEG bytes are pieces of varying lengths, or rows of a table where all happen to be equally long
    packed = pieces or (described.picture != "none" and observations.ndim == 2)
    if not observations.ndim or len(observations) != steps + 1:
        file.fail(f"{group} has {steps} rewards and observations of shape {observations.shape}")
    if not packed and observations.shape[1:] != described.shape:
        file.fail(f"{group} has {steps} rewards and observations of shape {observations.shape}")
    return _Steps(group, actions, rewards, bool(ended[-1]), observations)


def _write_vectors(
    file: Hdf5File, described: MinariFacts, out: Path, facts: dict[str, Any], report: Report
) -> dict[str, Any]:
    observations, actions, rewards, lengths, terminated = [], [], [], [], []
    for steps in _episodes(file, described, report):
        values = file.read(steps.observations).reshape(len(steps.rewards) + 1, -1)
        observations.append(float_table(file, f"{steps.group}/observations", values))
        actions.append(_actions(file, described, steps))
        rewards.append(steps.rewards)
        lengths.append(len(steps.rewards))
        terminated.append(steps.terminated)
    count = len(lengths)
    header = VectorHeader(
        name=facts["name"],
        task=facts["task"],
        episodes=count,
        steps=sum(lengths),
        features=observations[0].shape[1],
        actions=described.actions,
        policies=("published",),
        simulator=described.environment,
        discrete=described.discrete,
    )
    content = VectorSet(
        header=header,
        lengths=np.array(lengths, np.int64),
        seeds=np.arange(count),
        terminated=np.array(terminated),
        policies=np.zeros(count, np.int64),
        noise=np.zeros(count, np.float32),
        observations=np.concatenate(observations),
        actions=np.concatenate(actions),
        rewards=np.concatenate(rewards),
    )
    if facts["task"].startswith("kitchen-") and content.returns.max() > len(SUBTASKS):
        facts = {**facts, "reward_unit": SOLVED_PER_STEP}
    report("packing", 0, 0)
    digest = write_vectors(out / VECTORS, content, LEVEL, elsewhere=DATA_ELSEWHERE)
    card = vectors_card(replace(content, sha256=digest), (out / VECTORS).stat().st_size, facts)
    write_card(out, card)
    return card


def _actions(file: Hdf5File, described: MinariFacts, steps: _Steps) -> NDArray[Any]:
    if not described.discrete:
        return unit_actions(file, float_table(file, f"{steps.group}/actions", described.unit(steps.actions)))
    chosen = steps.actions.astype(np.int64) - described.first_action
    if steps.actions.dtype.kind not in "iub" or chosen.min() < 0 or chosen.max() >= described.actions:
        file.fail(f"{steps.group} holds an action that is not one of {described.actions}")
    return chosen.astype(np.uint8)


def _write_frames(
    file: Hdf5File, described: MinariFacts, out: Path, facts: dict[str, Any], report: Report
) -> dict[str, Any]:
    if not described.discrete or described.actions > 18:
        file.fail("it has pictures and no discrete actions of a game console")
    name, game = (_plain_name(text) for text in (facts["name"], facts["task"].removeprefix("atari-")))
    header = LogHeader(name, game, described.actions, ("published",), noop_max=0, max_steps=1)
    writer = FrameSetWriter(out, header)
    for steps in _episodes(file, described, report):
        rewards = np.rint(steps.rewards)
        if not np.array_equal(rewards, steps.rewards) or np.abs(rewards).max() >= 2**31:
            file.fail(f"{steps.group} holds rewards that are no whole numbers")
        actions, count = _actions(file, described, steps), len(rewards)
        for first in range(0, count, _FRAMES_AT_ONCE):
            last = min(first + _FRAMES_AT_ONCE, count)
            frames = _frames(file, described, steps, first, last - first)
            writer.add(frames, actions[first:last], rewards[first:last].astype(np.int32))
        writer.end(terminated=steps.terminated, last=_frames(file, described, steps, count, 1)[0])
    log = writer.finish()
    size = sum(path.stat().st_size for path in out.iterdir())
    card = frames_card(log, size, facts)
    write_card(out, card)
    return card


def _plain_name(text: str) -> str:
    # names inside a log are plain
    return re.sub(r"[^a-z0-9_.-]", "-", text.lower()).strip("_.-")[:64] or "set"


def _frames(file: Hdf5File, described: MinariFacts, steps: _Steps, first: int, count: int) -> NDArray[np.uint8]:
    if steps.observations.ndim > 2:
        return described.grey(file.read(steps.observations, first, count))
    with file.library_errors():
        pieces = steps.observations[first : first + count]
    return described.grey(np.stack([_picture(file, described, piece) for piece in pieces]))


def _picture(file: Hdf5File, described: MinariFacts, piece: NDArray[np.uint8]) -> NDArray[np.uint8]:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingError(
            f"the pictures of this data set are JPEG, which Pillow reads; install it with: {hint('video')}"
        ) from error
    try:
        with Image.open(io.BytesIO(piece.tobytes()), formats=["JPEG"]) as image:
            # the size is known before anything is unpacked
            height, width = described.shape[:2]
            if image.size != (width, height):
                raise ValueError(f"size {image.size}")
            picture = np.asarray(image)
    except (OSError, ValueError, SyntaxError) as error:
        file.fail(f"one of its pictures is damaged ({error})", error)
    if picture.dtype != np.uint8 or picture.size != int(np.prod(described.shape)):
        file.fail(f"one of its pictures has shape {picture.shape}")
    return picture.reshape(described.shape)
