"""An episode that is played, or was recorded, as a file: picture, film, text or replay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lamo_core.errors import UsageError
from lamo_core.player.episode_export import check_save, save_episode
from lamo_core.player.sources import REPLAY_ENDING, Opened, Opener, Wanted, find_source
from lamo_core.wording import counted
from lamo_tui.cli.output import console, emit_json, say
from lamo_tui.cli.progress import progress


def find_replay(source: str, options: dict[str, Any]) -> Path:
    """Return the file that is played; raises `UsageError`, also where it takes none of the options."""
    path = find_source(source)
    if path.suffix == REPLAY_ENDING and options:
        raise UsageError(
            f"a recorded episode has its own seed and target; leave out --{next(iter(options))}, or play the "
            "checkpoint of its run"
        )
    return path


def save_replay(path: Path, options: dict[str, Any], file: Path, decisions: int, device: str, *, as_json: bool) -> None:
    """Play without showing anything, and keep the episode; raises `LamoError`."""
    check_save(file)
    out = console()
    with progress() as report:
        opened = Opener(device=device).open(str(path), Wanted(**options), lambda text: report(text, 0, 0))
        _play_to_the_end(opened, decisions, report)
        save_episode(file, opened, lambda done, total: report(f"writing {file.name}", done, total))
    episode = opened.episode
    result = episode.track.result(episode.seed, episode.noops)
    out.print(
        f"{episode.task.title}, {opened.label}: return {result.ret:g} for target {result.target:g} in "
        f"{counted(result.length, 'decision')}, seed {result.seed}",
        markup=False,
    )
    if as_json:
        emit_json(
            {
                "source": str(path),
                "saved": str(file),
                "return": result.ret,
                "target": result.target,
                "decisions": result.length,
                "seed": result.seed,
                "ended": episode.track.ended,
            }
        )
    else:
        say(str(file))


def _play_to_the_end(opened: Opened, decisions: int, report: Any) -> None:
    episode = opened.episode
    most = decisions or episode.config.max_steps
    if opened.recorded and decisions and decisions < len(episode):
        episode.track = episode.track.cut(decisions)
    while len(episode) < most and not opened.recorded and episode.advance():
        if len(episode) % 10 == 0:
            report("playing", len(episode), decisions)
