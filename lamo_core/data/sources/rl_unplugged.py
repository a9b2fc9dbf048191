"""RL Unplugged's Atari episodes (Gulcehre et al. 2020): the logs of DQN-Replay repacked, one record per whole episode.

Names are those of DQN-Replay (`dqn_replay`); slices count from 0 to 49 here. The last entry of an episode holds the
picture after its last decision; its action and reward mean nothing.
"""

from __future__ import annotations

import io
import shutil
import struct
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.formats.action_log import LogHeader
from lamo_core.data.formats.tf_record import Feature, parse_example, read_records
from lamo_core.data.sources.catalogue import licence, resource
from lamo_core.data.sources.download import Progress, Resource, download, file_sha256
from lamo_core.data.sources.dqn_replay import Slice, SlicedLogs, parse_slice
from lamo_core.data.sources.dqn_slice import MOST_ROWS, STEP_LIMIT
from lamo_core.data.sources.source import Source
from lamo_core.data.store.cards import frames_card
from lamo_core.data.store.frame_set import FrameSetWriter
from lamo_core.data.store.local import building, write_card
from lamo_core.errors import DamagedDataError, MissingError, TaskMismatchError, UnsupportedDataError, UsageError
from lamo_core.install_hint import hint
from lamo_core.places import data_dir
from lamo_core.tasks.registry import get_task

NAME = "rl-unplugged"
SHARDS = 50
_SHORTER = frozenset({"carnival", "gravitar", "star-gunner"})
"""Games with one slice less."""
_LARGEST = 6 * 2**30
_SIDE = 84
_STAGE = "cutting the slice into episodes"
_OTHER_CONTENT = "get the file of another slice"
_PNG_HEAD = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBB", 13, b"IHDR", _SIDE, _SIDE, 8, 0)
"""How a grey picture of 84x84 pixels begins."""
EPISODES = {
    ("breakout", 1, 0): 3466,
    ("breakout", 1, 1): 2019,
    ("breakout", 1, 10): 744,
    ("breakout", 1, 49): 781,
    ("pong", 1, 10): 475,
    ("qbert", 4, 10): 912,
}
"""Episodes by game, run and slice, as the catalogue of TensorFlow Datasets counts them."""


def get_shard(wanted: Slice, progress: Progress) -> dict[str, Any]:
    """Fetch a slice, cut it into episodes and return the set's card; goes on from an earlier interruption.

    Raises `MissingError`, `DataError`, `StorageError`, `UsageError`.
    """
    get_task(wanted.task)  # refused before anything is fetched
    if find_spec("PIL") is None:
        raise MissingError(
            f"the frames of RL Unplugged are PNG pictures; install what reads them: {hint('atari-data')}"
        )
    one = shard_resource(wanted)
    folder = data_dir() / "downloads" / NAME / wanted.name
    path = folder / "shard.gz"
    if not path.exists():
        download(one, path, progress)
    try:
        card = _unpack(wanted, path, one, progress)
    except DamagedDataError:
        shutil.rmtree(folder, ignore_errors=True)  # it must be fetched anew
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return card


def shard_resource(wanted: Slice) -> Resource:
    """Return the file of a slice; raises `UsageError` for one that there is not."""
    count = SHARDS - (wanted.game in _SHORTER)
    if wanted.epoch >= count:
        raise UsageError(
            f"RL Unplugged holds the slices 0 to {count - 1} of {wanted.game}, not {wanted.epoch}; take "
            f"{wanted.game}-epoch-{count - 1}-v{wanted.run - 1}"
        )
    game = "".join(word.capitalize() for word in wanted.game.split("-"))
    file = f"run_{wanted.run}-{wanted.epoch:05d}-of-{count:05d}"
    return resource(NAME, f"{wanted.name} of RL Unplugged", _LARGEST, game=game, file=file)


def _unpack(wanted: Slice, path: Path, one: Resource, progress: Progress) -> dict[str, Any]:
    actions = get_task(wanted.task).actions
    header = LogHeader(
        name=wanted.name,
        game=wanted.task.removeprefix("atari-"),
        actions=actions,
        policies=("dqn",),
        noop_max=0,
        max_steps=STEP_LIMIT,
    )
    with building(NAME, wanted.name) as folder:
        writer = FrameSetWriter(folder, header)
        clipped = write_episodes(path, writer, actions, lambda rows: progress(_STAGE, rows, 0))
        log = writer.finish()
        facts = _facts(wanted, path, one, len(log.table), clipped=clipped)
        card = frames_card(log, sum(file.stat().st_size for file in folder.iterdir()), facts)
        write_card(folder, card)
    return card


def write_episodes(path: Path, writer: FrameSetWriter, actions: int, progress: Callable[[int], None]) -> bool:
    """Write the episodes of a file of records; returns whether all rewards lie between -1 and 1.

    Raises `DataError`, `TaskMismatchError`, `StorageError`. `progress` is told the steps so far.
    """
    rows, clipped = 0, True
    for body in read_records(path):
        try:
            chosen, rewards, pictures, ended = _episode(parse_example(body))
        except ValueError as error:
            raise UnsupportedDataError(f"{path} holds a record that is no episode: {error}", _OTHER_CONTENT) from error
        rows += len(pictures)
        if rows > MOST_ROWS:
            raise UnsupportedDataError(f"{path} holds more than {MOST_ROWS:,} steps", _OTHER_CONTENT)
        if len(chosen) and chosen.max() >= actions:
            raise TaskMismatchError(
                f"{path} holds action {int(chosen.max())}, and the game has {actions}, from 0 on",
                "get the slice of this game, or name the game that was played",
            )
        if len(chosen):
            frames = np.stack([_decoded(picture, path) for picture in pictures])
            writer.add(frames[:-1], chosen.astype(np.uint8), rewards)
            writer.end(terminated=ended, last=frames[-1])
            clipped &= bool(np.abs(rewards).max() <= 1)
        progress(rows)
    return clipped


def _episode(
    features: Mapping[str, Feature],
) -> tuple[NDArray[np.int64], NDArray[np.int32], list[bytes], bool]:
    """Return actions (T,), rewards (T,), pictures (T + 1) and whether the game was over; raises `ValueError`."""
    pictures = features.get("observations")
    columns = [features.get(name) for name in ("actions", "unclipped_rewards", "discounts")]
    if not isinstance(pictures, list) or not all(isinstance(column, np.ndarray) for column in columns):
        raise ValueError("it lacks observations, actions, unclipped_rewards or discounts")
    actions, rewards, discounts = (np.asarray(column) for column in columns)
    if not len(pictures) == len(actions) == len(rewards) == len(discounts) > 0:
        raise ValueError("its columns have different lengths")
    if len(pictures) > STEP_LIMIT + 1:
        raise ValueError(f"it has more than {STEP_LIMIT:,} steps")
    actions, rewards = actions[:-1], rewards[:-1]
    if not np.issubdtype(actions.dtype, np.integer) or (actions < 0).any():
        raise ValueError("its actions are no whole numbers from 0 on")
    if not np.isfinite(rewards).all() or (rewards != np.rint(rewards)).any() or (np.abs(rewards) > 2**31 - 1).any():
        raise ValueError("its rewards are no whole numbers")
    return actions.astype(np.int64), rewards.astype(np.int32), pictures, bool(discounts[-1] == 0)


def _decoded(picture: bytes, path: Path) -> NDArray[np.uint8]:
    """Return a frame (84, 84); nothing but a grey PNG of that size is handed to the decoder."""
    from PIL import Image

    if not picture.startswith(_PNG_HEAD):
        raise UnsupportedDataError(f"{path} holds frames that are no grey 84x84 PNG pictures", _OTHER_CONTENT)
    try:
        with Image.open(io.BytesIO(picture), formats=("PNG",)) as image:
            return np.asarray(image, np.uint8).reshape(_SIDE, _SIDE)
    except (OSError, SyntaxError, ValueError) as error:
        raise DamagedDataError(f"{path} holds a damaged picture ({error})") from error


def _facts(wanted: Slice, path: Path, one: Resource, episodes: int, *, clipped: bool) -> dict[str, Any]:
    notes = [
        f"slice {wanted.epoch} of run {wanted.run} of a DQN that learns {wanted.game}, sticky actions 0.25, repacked "
        "from DQN-Replay; that each slice holds the same steps there is likely and not proven",
    ]
    expected = EPISODES.get((wanted.game, wanted.run, wanted.epoch), episodes)
    if episodes != expected:
        notes.append(f"TensorFlow Datasets counts {expected:,} episodes in this slice, and here are {episodes:,}")
    return {
        "name": wanted.name,
        "task": wanted.task,
        "licence": licence(NAME),
        "reward_unit": "clipped" if clipped else "raw",
        "origin": {"source": NAME, "addresses": list(one.urls), "sha256": {"file": file_sha256(path)}},
        "notes": notes,
    }


class RlUnplugged(SlicedLogs):
    """The bucket of RL Unplugged."""

    name = NAME

    def knows(self, name: str) -> bool:
        try:
            shard_resource(parse_slice(name))
        except UsageError:
            return False
        return super().knows(name)

    def resources(self, name: str) -> tuple[Resource, ...]:
        return (shard_resource(parse_slice(name)),)

    def get(self, name: str, progress: Progress) -> dict[str, Any]:
        return get_shard(parse_slice(name), progress)


SOURCE: Source = RlUnplugged()
