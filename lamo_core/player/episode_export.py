"""Keeping an episode: as a GIF, a film, an asciicast, or a replay file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from lamo_core.errors import UsageError
from lamo_core.evaluation.recorder import check_video, screens, write_video
from lamo_core.evaluation.replay_file import save_replay
from lamo_core.files import write_atomically
from lamo_core.player.asciicast import CastFacts, pictures_every, write_cast
from lamo_core.player.sources import REPLAY_ENDING, Opened

Progress = Callable[[int, int], None]
Item = TypeVar("Item")

ENDINGS = (".gif", ".mp4", ".cast", REPLAY_ENDING)


def check_ending(path: Path) -> None:
    """Raise `UsageError` for a file whose ending says nothing."""
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(
            f"an episode is kept as .gif, .mp4, .cast (asciicast) or {REPLAY_ENDING} (replay), not {path.name!r}"
        )


def check_save(path: Path) -> None:
    """Raise now what `save_episode` would raise after minutes: `UsageError`, `MissingError`, `StorageError`."""
    check_ending(path)
    if path.suffix.lower() in (".gif", ".mp4"):
        check_video(path)


def save_episode(path: Path, opened: Opened, progress: Progress) -> None:
    """Write the episode so far, by the ending of `path`.

    Raises `UsageError` for an unknown ending or an episode without decisions, `MissingError` without the video
    libraries, `StorageError` for a place that cannot be written.
    """
    check_save(path)
    episode = opened.episode
    if not len(episode):
        raise UsageError("nothing has been played yet; play first, then save")
    result = episode.track.result(episode.seed, episode.noops)
    ending = path.suffix.lower()
    if ending == REPLAY_ENDING:
        save_replay(path, result, episode.config, opened.meta)
    elif ending == ".cast":
        every = pictures_every(episode.shown.pictures_per_second)
        facts = CastFacts(opened.label, episode.task, episode.track, episode.shown.pictures_per_second)
        pictures = _counted(screens(result, episode.config, every=every), len(episode) // every + 1, progress)
        write_atomically(path, lambda file: write_cast(file, pictures, facts, every), "--save FILE")
    else:
        progress(0, 0)
        write_video(path, result, episode.config)


def _counted(items: Iterator[Item], total: int, progress: Progress) -> Iterator[Item]:
    for number, item in enumerate(items):
        progress(min(number, total), total)
        yield item
