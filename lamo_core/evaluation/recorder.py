"""Videos of episodes: the console plays them again from seed, no-ops and actions, and is filmed."""

from __future__ import annotations

import errno
import importlib.util
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.config import TaskConfig
from lamo_core.errors import DataError, MissingError, StorageError, UsageError
from lamo_core.evaluation.episodes import EpisodeResult
from lamo_core.files import write_atomically

Picture = NDArray[np.uint8]

FRAMES_PER_SECOND = 15
"""Decisions per second of play: the console draws 60 frames a second and a decision lasts four."""
_ELSEWHERE = "--video FILE"
_LIBRARY = {".gif": "PIL", ".mp4": "imageio_ffmpeg"}


def check_video(path: Path, task_config: TaskConfig) -> None:
    """Raise now what `write_video` would raise after minutes of play.

    `UsageError` for an unknown ending or a task without pictures, `MissingError` without the video libraries,
    `StorageError` for a place that cannot be written.
    """
    library = _LIBRARY.get(path.suffix.lower())
    if library is None:
        raise UsageError(f"a video is a .gif or .mp4 file, not {path.name!r}")
    if not task_config.name.startswith("atari-"):
        raise UsageError(f"there is no video of {task_config.name} yet; leave out --video")
    if importlib.util.find_spec(library) is None:
        raise MissingError(f"{path.suffix} videos need another package; run: pip install 'lamo[video]'")
    _check_place(path)


def screens(episode: EpisodeResult, task_config: TaskConfig) -> Iterator[Picture]:
    """Play an Atari episode again and yield its screens, (210, 160, 3): one at the start and one per action.

    Raises `DataError` if the rewards are not those of the episode: then the game or its library has changed.
    """
    from lamo_core.tasks.atari import game_of
    from lamo_core.tasks.atari_emulator import AtariEmulator

    emulator = AtariEmulator(game_of(task_config.name), task_config.sticky_actions)
    emulator.reset(episode.seed)
    for _ in range(episode.noops):
        emulator.step(0)
    yield emulator.screen()
    for action, reward in zip(episode.actions, episode.rewards, strict=True):
        if emulator.step(int(action)) != reward:
            raise DataError("the episode did not come back as it was played; use the ale-py that it was played with")
        yield emulator.screen()


def write_video(path: Path, episode: EpisodeResult, task_config: TaskConfig) -> None:
    """Film an episode at its real speed, as an animated GIF or an H.264 film, by the ending of `path`.

    Raises what `check_video` says, and `DataError` if the episode cannot be played again.
    """
    check_video(path, task_config)
    pictures = screens(episode, task_config)
    if path.suffix.lower() == ".gif":
        colours = _colours(screens(episode, task_config))
        write_atomically(path, lambda file: _write_gif(file, pictures, colours), _ELSEWHERE)
    else:
        write_atomically(path, lambda file: _write_film(file.name, pictures), _ELSEWHERE)


def _check_place(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise StorageError(
            f"could not write {path}: {error.strerror}; choose another place with {_ELSEWHERE}"
        ) from error


def _colours(pictures: Iterator[Picture]) -> NDArray[np.uint32]:
    """Return the different colours of all pictures, sorted; the console has no more than 128."""
    seen = np.zeros(1 << 24, np.bool_)
    for picture in pictures:
        seen[_packed(picture)] = True
    return np.flatnonzero(seen).astype(np.uint32)


def _packed(picture: Picture) -> NDArray[np.uint32]:
    red, green, blue = np.moveaxis(picture.astype(np.uint32), -1, 0)
    return np.asarray(red << 16 | green << 8 | blue)


def _write_gif(file: IO[bytes], pictures: Iterator[Picture], colours: NDArray[np.uint32]) -> None:
    """Write pictures with one exact palette, so that only what moved takes space."""
    from PIL import Image

    place = np.zeros(1 << 24, np.uint8)
    place[colours] = np.arange(len(colours))
    palette = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.uint8).tobytes()

    def frame(picture: Picture) -> Any:
        image = Image.fromarray(place[_packed(picture)])
        image.putpalette(palette)
        return image

    # GIFs count in hundredths of a second.
    pause = round(100 / FRAMES_PER_SECOND) * 10
    first = frame(next(pictures))
    first.save(file, format="GIF", save_all=True, append_images=map(frame, pictures), duration=pause, loop=0)


def _write_film(path: str, pictures: Iterator[Picture]) -> None:
    import imageio_ffmpeg

    first = _enlarged(next(pictures))
    # A block size of 2 keeps the picture's size; the default would stretch it to multiples of 16.
    encoder: Any = imageio_ffmpeg.write_frames(
        path,
        (first.shape[1], first.shape[0]),
        fps=FRAMES_PER_SECOND,
        codec="libx264",
        quality=7,
        macro_block_size=2,
        ffmpeg_log_level="error",
        output_params=["-f", "mp4"],
    )
    encoder.send(None)
    try:
        for picture in chain([first], map(_enlarged, pictures)):
            encoder.send(np.ascontiguousarray(picture))
    finally:
        encoder.close()


def _enlarged(picture: Picture) -> Picture:
    """Enlarge four times by whole pixels, so that players do not blur."""
    return picture.repeat(4, axis=0).repeat(4, axis=1)
