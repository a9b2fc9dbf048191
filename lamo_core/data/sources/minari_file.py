"""Turns a Minari data set in its HDF5 form into a set of ours: vectors, or frames of an Atari game.

`main_data.hdf5` holds a group `episode_<i>` per episode with T + 1 `observations`, a table or a group of tables, and T
`actions`, `rewards`, `terminations` and `truncations` (minari/dataset/_storages/hdf5_storage.py). Pictures may be JPEG
bytes. Before Minari 0.5, what is now in `metadata.json` were attributes of that file.
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

from lamo_core.data.checks.end_flags import group_ended_by_task, marked_early
from lamo_core.data.formats.action_log import LogHeader
from lamo_core.data.formats.hdf5_file import Hdf5File
from lamo_core.data.formats.vector_file import VectorHeader, VectorSet, write_vectors
from lamo_core.data.kitchen_rewards import SOLVED_PER_STEP
from lamo_core.data.sources.d4rl_file import LEVEL
from lamo_core.data.sources.foreign_numbers import action_choices, flat_parts, float_table, unit_actions
from lamo_core.data.sources.minari_spaces import DATA, MinariFacts, facts_in, read_metadata
from lamo_core.data.store.cards import frames_card, vectors_card
from lamo_core.data.store.frame_set import FrameSetWriter
from lamo_core.data.store.local import VECTORS, write_card
from lamo_core.errors import MissingError
from lamo_core.install_hint import hint
from lamo_core.places import DATA_ELSEWHERE
from lamo_core.tasks.kitchen import SUBTASKS

TAKEN = (
    "a Minari data set has groups episode_0, episode_1, … of as many actions, rewards, terminations and truncations, "
    "and one observation more"
)
_FRAMES_AT_ONCE = 64
_READING = "reading the episodes"
Report = Callable[[str, int, int], None]


def convert_minari(path: Path, out: Path, facts: dict[str, Any], report: Report) -> dict[str, Any]:
    """Write the data set in the folder `path` as a set with its card into `out` and return the card.

    `facts` are those of a card; an empty task is taken from the data set, and with `older_layout` its metadata from
    the attributes of its file. Raises `MissingError`, `DataError`, `StorageError`.
    """
    older = bool(facts.get("older_layout"))
    described = None if older else read_metadata(path, facts["task"])
    with Hdf5File(path / DATA, TAKEN) as file:
        described = described or facts_in(_older_metadata(file), path / DATA, facts["task"])
        facts = {**facts, "task": facts["task"] or described.task, "reward_unit": described.reward_unit}
        found = sum(name.startswith("episode_") for name in file.names())
        if found != described.episodes:
            file.damaged(f"it has {found:,} episodes instead of {described.episodes:,}")
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
    marked_early: bool
    """Whether an end is marked before the last step."""


def _episodes(file: Hdf5File, described: MinariFacts, report: Report) -> Iterator[_Steps]:
    pause = 20 if described.picture == "none" else 1
    for index in range(described.episodes):
        yield _steps(file, described, f"episode_{index}")
        if index % pause == 0:
            report(_READING, index, described.episodes)
    report(_READING, described.episodes, described.episodes)


def _steps(file: Hdf5File, described: MinariFacts, group: str) -> _Steps:
    rewards = float_table(file, f"{group}/rewards", _column(file, group, "rewards"))
    steps = len(rewards)
    actions = file.read(file.numbers(f"{group}/actions"))
    # one choice, or one number, may have an axis of its own or none
    alone = described.discrete or described.actions == 1
    fits = actions.shape == (steps, *described.action_shape) or (alone and actions.shape in ((steps,), (steps, 1)))
    if not steps or not fits:
        file.unsupported(f"{group} has {steps} rewards and actions of shape {actions.shape}")
    terminations, truncations = (_flags(file, group, name, steps) for name in ("terminations", "truncations"))
    if terminations is None and truncations is None:
        file.unsupported(f"{group} does not say how it ended")
    early = marked_early(terminations, truncations)
    return _Steps(group, actions, rewards, group_ended_by_task(terminations), early)


def _column(file: Hdf5File, group: str, name: str) -> NDArray[Any]:
    table = file.numbers(f"{group}/{name}")
    if table.ndim != 1 and table.shape[1:] != (1,):
        file.unsupported(f"its table {group}/{name} has shape {table.shape}")
    return file.read(table).reshape(-1)


def _flags(file: Hdf5File, group: str, name: str, steps: int) -> NDArray[np.bool_] | None:
    if not file.has(f"{group}/{name}"):
        return None
    values = _column(file, group, name)
    if len(values) != steps or not np.isin(values, (0, 1)).all():
        file.unsupported(f"{group} has {steps} rewards and {len(values)} {name}, which are yes or no for each")
    return values.astype(np.bool_)


def _older_metadata(file: Hdf5File) -> dict[str, Any]:
    """Return the metadata of a file in the layout before Minari 0.5."""
    values: dict[str, Any] = dict(file.attributes())
    missing = [name for name in ("total_episodes", "observation_space", "action_space") if name not in values]
    if missing:
        file.unsupported(f"its attributes do not say its {missing[0]}", "get the newer version of the set from Minari")
    episodes = str(values["total_episodes"])
    return {**values, "total_episodes": int(episodes) if episodes.isdecimal() and len(episodes) < 10 else episodes}


def _write_vectors(
    file: Hdf5File, described: MinariFacts, out: Path, facts: dict[str, Any], report: Report
) -> dict[str, Any]:
    observations, actions, rewards, lengths, terminated, early = [], [], [], [], [], 0
    for steps in _episodes(file, described, report):
        # of a structure the parts are tables of their own
        name = f"{steps.group}/observations"
        observations.append(flat_parts(file, name, described.parts, len(steps.rewards) + 1))
        actions.append(_actions(file, described, steps))
        rewards.append(steps.rewards)
        lengths.append(len(steps.rewards))
        terminated.append(steps.terminated)
        early += steps.marked_early
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
    facts = {**facts, "action_bounds": described.bounds, "observation_parts": described.parts}
    if early:
        note = f"{early:,} of {count:,} episodes go on after a step that is marked as their end"
        facts = {**facts, "notes": [*facts.get("notes", ()), note]}
    report("packing", 0, 0)
    digest = write_vectors(out / VECTORS, content, LEVEL, elsewhere=DATA_ELSEWHERE)
    card = vectors_card(replace(content, sha256=digest), (out / VECTORS).stat().st_size, facts)
    write_card(out, card)
    return card


def _actions(file: Hdf5File, described: MinariFacts, steps: _Steps) -> NDArray[Any]:
    name = f"{steps.group}/actions"
    if described.discrete:
        return action_choices(file, name, steps.actions, described.actions, described.first_action)
    return unit_actions(file, name, steps.actions.reshape(len(steps.actions), -1), described.bounds)


def _write_frames(
    file: Hdf5File, described: MinariFacts, out: Path, facts: dict[str, Any], report: Report
) -> dict[str, Any]:
    if not described.discrete or described.actions > 18:
        file.unsupported(
            "it has pictures and no discrete actions of a game console", "lamo takes pictures of Atari games"
        )
    name, game = (_plain_name(text) for text in (facts["name"], facts["task"].removeprefix("atari-")))
    header = LogHeader(name, game, described.actions, ("published",), noop_max=0, max_steps=1)
    writer = FrameSetWriter(out, header)
    for steps in _episodes(file, described, report):
        seen = _pictures(file, described, steps)
        rewards = np.rint(steps.rewards)
        if not np.array_equal(rewards, steps.rewards) or np.abs(rewards).max() >= 2**31:
            file.unsupported(
                f"{steps.group} holds rewards that are no whole numbers",
                "record the game's own rewards, not scaled ones",
            )
        actions, count = _actions(file, described, steps), len(rewards)
        for first in range(0, count, _FRAMES_AT_ONCE):
            last = min(first + _FRAMES_AT_ONCE, count)
            frames = _frames(file, described, seen, first, last - first)
            writer.add(frames, actions[first:last], rewards[first:last].astype(np.int32))
        writer.end(terminated=steps.terminated, last=_frames(file, described, seen, count, 1)[0])
    log = writer.finish()
    size = sum(path.stat().st_size for path in out.iterdir())
    card = frames_card(log, size, facts)
    write_card(out, card)
    return card


def _plain_name(text: str) -> str:
    # names inside a log are plain
    return re.sub(r"[^a-z0-9_.-]", "-", text.lower()).strip("_.-")[:64] or "set"


def _pictures(file: Hdf5File, described: MinariFacts, steps: _Steps) -> Any:
    """Return the unread table of an episode's T + 1 pictures."""
    name = f"{steps.group}/observations"
    pieces = file.is_pieces(name)
    table = file.pieces(name) if pieces else file.numbers(name)
    # JPEG bytes are pieces of varying lengths, or rows of a table where all happen to be equally long
    packed = pieces or table.ndim == 2
    if not table.ndim or len(table) != len(steps.rewards) + 1 or not (packed or table.shape[1:] == described.shape):
        file.unsupported(f"{steps.group} has {len(steps.rewards)} rewards and observations of shape {table.shape}")
    return table


def _frames(file: Hdf5File, described: MinariFacts, table: Any, first: int, count: int) -> NDArray[np.uint8]:
    if table.ndim > 2:
        return described.grey(file.read(table, first, count))
    with file.library_errors():
        pieces = table[first : first + count]
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
        file.damaged(f"one of its pictures cannot be read ({error})", error)
    if picture.dtype != np.uint8 or picture.size != int(np.prod(described.shape)):
        file.unsupported(f"one of its pictures has shape {picture.shape}")
    return picture.reshape(described.shape)
