"""The DQN-Replay data (Agarwal et al. 2020): logs of a DQN that learned each Atari game, five runs of 50 slices.

Names follow d4rl-atari: `breakout-medium-v0` is slice 10 of run 1, `mixed` is slice 1, `expert` slice 50 and `epoch-N`
slice N; `-v0` to `-v4` are the runs 1 to 5, and without it run 1 is meant. Rewards in the logs are clipped to -1 … 1.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from lamo_core.data.formats.action_log import LogHeader
from lamo_core.data.sources.catalogue import is_withdrawn, licence, resource
from lamo_core.data.sources.download import Progress, Resource, download, file_sha256
from lamo_core.data.sources.dqn_slice import EMPTY_STEPS, PARTS, STEP_LIMIT, Columns, cut_slice, read_columns
from lamo_core.data.sources.source import Source
from lamo_core.data.store.cards import frames_card
from lamo_core.data.store.frame_set import FrameSetWriter
from lamo_core.data.store.local import ReceivedSet, building, find_received, require_received, write_card
from lamo_core.errors import DamagedDataError, MissingError, UsageError
from lamo_core.places import data_dir
from lamo_core.tasks.registry import get_task

NAME = "dqn-replay"
_LEVELS = {"mixed": 1, "medium": 10, "expert": 50}
_NAME = re.compile(
    r"(?P<game>[a-z]+(-[a-z]+)*)-(?P<level>mixed|medium|expert|epoch-(?P<epoch>\d{1,2}))(-v(?P<run>[0-4]))?"
)
_LARGEST = {"observation": 4 * 2**30}
_LARGEST_COLUMN = 64 * 2**20
CUTTING = "cutting the slice into episodes"


@dataclass(frozen=True)
class Slice:
    """One slice of one run on one game."""

    game: str
    """In lowercase letters with hyphens, such as space-invaders."""
    level: str
    epoch: int
    """0 to 50."""
    run: int
    """1 to 5."""

    @property
    def name(self) -> str:
        """The name with its version."""
        return f"{self.game}-{self.level}-v{self.run - 1}"

    @property
    def task(self) -> str:
        """The task that the slice is for."""
        return "atari-" + self.game.replace("-", "_")

    def resources(self) -> dict[str, Resource]:
        """Return the four files; raises `UsageError` when the user's list of addresses is wrong."""
        camel = "".join(word.capitalize() for word in self.game.split("-"))
        files = {}
        for part in PARTS:
            file = quote(f"$store$_{part}_ckpt.{self.epoch}.gz")
            largest = _LARGEST.get(part, _LARGEST_COLUMN)
            shown = f"{part}s of {self.name}"
            files[part] = resource(NAME, shown, largest, game=camel, run=str(self.run), file=file)
        return files


def parse_slice(name: str) -> Slice:
    """Return the slice that a name of d4rl-atari means; raises `UsageError`."""
    match = _NAME.fullmatch(name)
    epoch = int(match["epoch"]) if match and match["epoch"] else _LEVELS.get(match["level"], 99) if match else 99
    if match is None or epoch > 50:
        raise UsageError(
            f"{name[:60]!r} is no set of DQN-Replay; names are such as breakout-medium-v0, pong-expert or "
            "qbert-epoch-25-v4"
        )
    return Slice(match["game"], match["level"], epoch, int(match["run"] or 0) + 1)


def get_slice(wanted: Slice, progress: Progress) -> dict[str, Any]:
    """Fetch a slice, cut it into episodes and return the set's card; goes on from an earlier interruption.

    Raises `MissingError`, `DataError`, `StorageError`, `UsageError`.
    """
    get_task(wanted.task)  # refused before anything is fetched
    folder = data_dir() / "downloads" / NAME / wanted.name
    resources = wanted.resources()
    paths = {part: folder / f"{part}.gz" for part in PARTS}
    for part in PARTS:
        if not paths[part].exists():
            download(resources[part], paths[part], progress)
    try:
        card = _unpack(wanted, paths, resources, progress)
    except DamagedDataError:
        shutil.rmtree(folder, ignore_errors=True)  # it must be fetched anew
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return card


def _unpack(
    wanted: Slice, paths: dict[str, Path], resources: dict[str, Resource], progress: Progress
) -> dict[str, Any]:
    actions = get_task(wanted.task).actions
    columns = read_columns(paths, actions)
    header = LogHeader(
        name=wanted.name,
        game=wanted.task.removeprefix("atari-"),
        actions=actions,
        policies=("dqn",),
        noop_max=EMPTY_STEPS,
        max_steps=STEP_LIMIT,
    )
    with building(NAME, wanted.name) as folder:
        writer = FrameSetWriter(folder, header)
        dropped = cut_slice(paths, columns, writer, lambda done, total: progress(CUTTING, done, total))
        log = writer.finish()
        facts = _facts(wanted, paths, resources, columns, dropped)
        card = frames_card(log, sum(path.stat().st_size for path in folder.iterdir()), facts)
        write_card(folder, card)
    return card


def _facts(
    wanted: Slice, paths: dict[str, Path], resources: dict[str, Resource], columns: Columns, dropped: int
) -> dict[str, Any]:
    clipped = abs(columns.rewards).max() <= 1
    return {
        "name": wanted.name,
        "task": wanted.task,
        "licence": licence(NAME),
        "reward_unit": "clipped" if clipped else "raw",
        "origin": {
            "source": NAME,
            "addresses": [resources[part].urls[0] for part in PARTS],
            "sha256": {part: file_sha256(paths[part]) for part in PARTS},
        },
        "notes": [
            f"slice {wanted.epoch} of run {wanted.run} of a DQN that learns {wanted.game}, sticky actions 0.25, on the "
            "console programs of atari-py up to 0.2.5",
            f"{dropped:,} empty rows before episodes and the left-over last row were dropped",
            "what was seen after an episode's last step is not in the log; the picture before stands for it",
        ],
    }


def _require_open(name: str) -> None:
    """Raise `MissingError` at once where nobody answers any more."""
    if is_withdrawn(NAME):
        raise MissingError(
            "DQN-Replay was withdrawn from the public in April 2025; get the same logs, repacked, with: "
            f"lamo data get {name} --source rl-unplugged, or take files that you have: --from FOLDER"
        )


class SlicedLogs:
    """What sources whose sets are slices of DQN-Replay's logs have in common."""

    converted_when_opened = False
    name: ClassVar[str]

    def knows(self, name: str) -> bool:
        try:
            get_task(parse_slice(name).task)
        except UsageError:
            return False
        return True

    def names(self) -> list[str]:
        return []

    def full_name(self, name: str) -> str:
        return parse_slice(name).name

    def require(self, name: str, progress: Progress | None) -> ReceivedSet:
        # the name that was asked for is the one to say; both work
        return find_received(self.name, self.full_name(name)) or require_received(self.name, name)


class DqnReplay(SlicedLogs):
    """The bucket of DQN-Replay."""

    name = NAME

    def resources(self, name: str) -> tuple[Resource, ...]:
        _require_open(name)
        return tuple(parse_slice(name).resources().values())

    def get(self, name: str, progress: Progress) -> dict[str, Any]:
        return get_slice(parse_slice(name), progress)

    def require(self, name: str, progress: Progress | None) -> ReceivedSet:
        if find_received(NAME, self.full_name(name)) is None:
            _require_open(name)
        return super().require(name, progress)


SOURCE: Source = DqnReplay()
