"""Videos of episodes: the task plays them again from seed, no-ops and actions, and is filmed."""

from __future__ import annotations

import errno
import importlib.util
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.config import TaskConfig
from lamo_core.errors import DataError, MissingError, StorageError, UsageError
from lamo_core.evaluation.rollout_spec import EpisodeResult
from lamo_core.files import write_atomically
from lamo_core.install_hint import hint
from lamo_core.tasks.environment import RenderedEnv
from lamo_core.tasks.registry import get_task
from lamo_core.tasks.rendering.render_env import open_rendered

Picture = NDArray[np.uint8]

_FASTEST = 30.0
"""Most pictures per second of a film; of tasks that decide more often every second, third, … moment is shown."""
_HEIGHTS = {".gif": 240, ".mp4": 360}
"""Of simulator pictures; Atari screens have their own size."""
_ELSEWHERE = "--video FILE"
_LIBRARY = {".gif": "PIL", ".mp4": "imageio_ffmpeg"}


def check_video(path: Path) -> None:
    """Raise now what `write_video` would raise after minutes of play.

    `UsageError` for an unknown ending, `MissingError` without the video libraries,
    `StorageError` for a place that cannot be written.
    """
    library = _LIBRARY.get(path.suffix.lower())
    if library is None:
        raise UsageError(f"a video is a .gif or .mp4 file, not {path.name!r}")
    if importlib.util.find_spec(library) is None:
        raise MissingError(f"{path.suffix} videos need another package; run: {hint('video')}")
    _check_place(path)


@dataclass(frozen=True)
class _Film:
    """An episode that can be filmed, more than once."""

    episode: EpisodeResult
    task: TaskConfig
    height: int
    pretty: bool
    every: int
    """Decisions from one picture to the next."""
    per_second: float
    """Pictures per second at real speed."""

    def pictures(self) -> Iterator[Picture]:
        return screens(self.episode, self.task, every=self.every, height=self.height, pretty=self.pretty)


def screens(
    episode: EpisodeResult, task_config: TaskConfig, *, every: int = 1, height: int = 180, pretty: bool = False
) -> Iterator[Picture]:
    """Play an episode again and yield pictures (H, W, 3): at the start, after every `every` decisions, at the end.

    `height` and `pretty` are those of `open_rendered`. Raises `DataError` if the rewards are not those of the episode:
    then the task or its library has changed.
    """
    shown = open_rendered(task_config, height=height, pretty=pretty)
    try:
        shown.reset(episode.seed, episode.noops)
        yield shown.picture()
        for index, (action, reward) in enumerate(zip(episode.actions, episode.rewards, strict=True), start=1):
            if not math.isclose(shown.step(action)[1], reward, rel_tol=1e-6, abs_tol=1e-9):
                raise DataError(
                    "the episode did not come back as it was played; use the library versions that it was played with"
                )
            if index % every == 0 or index == episode.length:
                yield shown.picture()
    finally:
        shown.close()


def write_video(path: Path, episode: EpisodeResult, task_config: TaskConfig, *, pretty: bool = False) -> None:
    """Film an episode at its real speed, as an animated GIF or an H.264 film, by the ending of `path`.

    `pretty` turns on shadows, reflections and smooth edges. Raises what `check_video` says, and `DataError` if the
    episode cannot be played again.
    """
    check_video(path)
    film = _film(path.suffix.lower(), episode, task_config, pretty)
    if path.suffix.lower() == ".mp4":
        write_atomically(path, lambda file: _write_film(file.name, film), _ELSEWHERE)
    elif get_task(task_config.name).observation == "frames":
        colours = _colours(film.pictures())
        write_atomically(path, lambda file: _write_exact_gif(file, film, colours), _ELSEWHERE)
    else:
        write_atomically(path, lambda file: _write_gif(file, film), _ELSEWHERE)


def _film(ending: str, episode: EpisodeResult, task_config: TaskConfig, pretty: bool) -> _Film:
    shown: RenderedEnv = open_rendered(task_config)
    decisions_per_second = shown.pictures_per_second
    shown.close()
    every = math.ceil(decisions_per_second / _FASTEST)
    return _Film(episode, task_config, _HEIGHTS[ending], pretty, every, decisions_per_second / every)


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


def _write_exact_gif(file: IO[bytes], film: _Film, colours: NDArray[np.uint32]) -> None:
    """Write pictures with one exact palette, so that only what moved takes space."""
    from PIL import Image

    place = np.zeros(1 << 24, np.uint8)
    place[colours] = np.arange(len(colours))
    palette = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.uint8).tobytes()

    def frame(picture: Picture) -> Any:
        image = Image.fromarray(place[_packed(picture)])
        image.putpalette(palette)
        return image

    _save_gif(file, map(frame, film.pictures()), film.per_second)


def _write_gif(file: IO[bytes], film: _Film) -> None:
    """Write pictures of many colours, each with the 256 that suit it best."""
    from PIL import Image

    frames = (Image.fromarray(picture).quantize(256, dither=Image.Dither.NONE) for picture in film.pictures())
    _save_gif(file, frames, film.per_second)


def _save_gif(file: IO[bytes], frames: Iterator[Any], per_second: float) -> None:
    # GIFs count in hundredths of a second.
    pause = round(100 / per_second) * 10
    first = next(frames)
    first.save(file, format="GIF", save_all=True, append_images=frames, duration=pause, loop=0)


def _write_film(path: str, film: _Film) -> None:
    import imageio_ffmpeg

    pictures = map(_enlarged, film.pictures())
    first = next(pictures)
    # A block size of 2 keeps the picture's size; the default would stretch it to multiples of 16.
    encoder: Any = imageio_ffmpeg.write_frames(
        path,
        (first.shape[1], first.shape[0]),
        fps=film.per_second,
        codec="libx264",
        quality=7,
        macro_block_size=2,
        ffmpeg_log_level="error",
        output_params=["-f", "mp4"],
    )
    encoder.send(None)
    try:
        for picture in chain([first], pictures):
            encoder.send(np.ascontiguousarray(picture))
    finally:
        encoder.close()


def _enlarged(picture: Picture) -> Picture:
    """Enlarge small screens four times by whole pixels, so that players do not blur them."""
    if picture.shape[0] >= _HEIGHTS[".mp4"]:
        return picture
    return picture.repeat(4, axis=0).repeat(4, axis=1)
