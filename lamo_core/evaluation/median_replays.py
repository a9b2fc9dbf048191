"""Which episodes of an evaluation are kept as replay files, and how many files a run has at most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lamo_core.config import RunConfig
from lamo_core.evaluation.replay_file import save_replay
from lamo_core.evaluation.rollout_spec import EpisodeResult
from lamo_core.wording import counted

MOST_FILES = 48
"""In a run's folder of replays; the oldest go first."""
_MOST_TARGETS = 8


def median_episode(episodes: Sequence[EpisodeResult]) -> EpisodeResult:
    """Return the episode in the middle by its return; the better one of two. Needs at least one."""
    ordered = sorted(episodes, key=lambda episode: episode.ret)
    return ordered[len(ordered) // 2]


def keep_medians(
    folder: Path, episodes: Sequence[EpisodeResult], config: RunConfig, step: int, *, prefix: str = ""
) -> list[Path]:
    """Write the median episode of every return target, named by step and target, and return the files.

    An evaluation of the same step replaces its files; of more than 8 targets the first 8 are kept. Raises
    `StorageError`.
    """
    targets = list(dict.fromkeys(episode.target for episode in episodes))[:_MOST_TARGETS]
    written = []
    for target in targets:
        own = [episode for episode in episodes if episode.target == target]
        path = folder / f"{prefix}{step:06d}-target{target:g}.npz"
        meta: dict[str, str | float] = {
            "name": f"{config.name} s{config.seed}",
            "step": step,
            "kept": f"median of {counted(len(own), 'episode')}",
            "rewards": config.paid,
            "context": config.eval.context,
            "action": config.eval.action,
        }
        save_replay(path, median_episode(own), config.task, meta)
        written.append(path)
    _thin_out(folder, written)
    return written


def _thin_out(folder: Path, keep: Sequence[Path]) -> None:
    files = sorted(folder.glob("*.npz"), key=lambda path: (path in keep, path.stat().st_mtime, path.name))
    for old in files[: max(0, len(files) - MOST_FILES)]:
        old.unlink(missing_ok=True)
