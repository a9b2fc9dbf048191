"""Packs recorded episodes into an action log and its card."""

from __future__ import annotations

import re
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.collect.recorded_games import RecordedEpisode, load_recorded
from lamo_core.data.formats.action_log import HASH_BYTES, TABLE, LogHeader, write_log
from lamo_core.data.formats.card import histogram, summary
from lamo_core.data.publishing import publish
from lamo_core.data.recipes.mixtures import Mixture, plan_episode
from lamo_core.errors import MissingError, UnsupportedDataError
from lamo_core.tasks.atari.atari import ATARI_TASKS

LICENCE = "MIT, as lamo itself: the trajectories were made by this project"
SOURCES = {
    "breakout_ff": "feed-forward A3C actor of muupan/async-rl (MIT)",
    "breakout_gru": "recurrent A3C actors of greydanus/baby-a3c (Apache-2.0)",
    "pong_gru": "recurrent A3C actors of greydanus/baby-a3c (Apache-2.0)",
    "qbert_ram": "actors on the console's memory, trained by this project with PPO",
}


def pack_set(mixture: Mixture, folder: Path, out: Path, transitions: int) -> dict[str, Any]:
    """Write `out`/<set>.lamolog and its card from the episodes in `folder`; return the card.

    All episodes of the folder are taken, in the order of their seeds; raises `MissingError` when they hold
    fewer than `transitions`.
    """
    episodes = _load_all(mixture, folder, transitions)
    policies = tuple(share.name for share in mixture.shares)
    header = LogHeader(
        name=mixture.name,
        game=mixture.game,
        actions=ATARI_TASKS[f"atari-{mixture.game}"].actions,
        policies=policies,
        sticky_actions=mixture.sticky_actions,
        noop_max=mixture.noop_max,
        max_steps=mixture.max_steps,
        ale_py=version("ale-py"),
    )
    table = np.array([log_record(episode, policies) for episode in episodes], TABLE)
    actions = np.concatenate([episode.actions for episode in episodes])
    return publish(
        out / f"{mixture.name}.lamolog",
        lambda path: write_log(path, header, table, actions),
        lambda digest, size: _card(mixture, table, actions, digest, size),
    )


def _load_all(mixture: Mixture, folder: Path, transitions: int) -> list[RecordedEpisode]:
    seeds = sorted(int(path.stem) for path in folder.glob("*.npz") if re.fullmatch(r"\d+", path.stem))
    episodes = [episode for seed in seeds if (episode := load_recorded(folder, seed)) is not None]
    total = sum(len(episode.actions) for episode in episodes)
    if not episodes or total < transitions:
        raise MissingError(
            f"{folder} holds {total} of {transitions} transitions; go on with `lamo data collect {mixture.name}`"
        )
    for episode in episodes:
        plan = plan_episode(mixture, episode.seed - mixture.first_seed)
        if (episode.noops, episode.policy) != (plan.noops, mixture.shares[plan.share].name):
            path = folder / f"{episode.seed}.npz"
            raise UnsupportedDataError(f"{path} does not follow the recipe", "collect into an empty folder")
    return episodes


def log_record(episode: RecordedEpisode, policies: tuple[str, ...]) -> tuple[Any, ...]:
    """Return the episode's row of a log's `TABLE`."""
    return (
        episode.seed,
        episode.noops,
        len(episode.actions),
        int(episode.rewards.sum()),
        zlib.crc32(episode.rewards.astype("<i4").tobytes()),
        episode.terminated,
        policies.index(episode.policy),
        episode.noise,
        np.frombuffer(episode.frames_sha256[:HASH_BYTES], np.uint8),
    )


def _card(mixture: Mixture, table: NDArray[Any], actions: NDArray[np.uint8], digest: str, size: int) -> dict[str, Any]:
    returns, lengths = table["return"].astype(float), table["length"]
    used = {share.file.split(".")[0] + share.prefix for share in mixture.shares}
    return {
        "name": mixture.name,
        "task": f"atari-{mixture.game}",
        "episodes": len(table),
        "transitions": len(actions),
        "time_outs": int((table["terminated"] == 0).sum()),
        "returns": summary(returns),
        "lengths": summary(lengths.astype(float)),
        "histogram": histogram(returns),
        "policies": [
            {
                "name": share.name,
                "part": share.part,
                "actions": "best" if share.greedy else "sampled",
                "random_actions": list(share.noise),
                "episodes": int((table["policy"] == index).sum()),
                "returns": summary(returns[table["policy"] == index]),
            }
            for index, share in enumerate(mixture.shares)
        ],
        "collection": {
            "emulator": f"ale-py {version('ale-py')}",
            "sticky_actions": mixture.sticky_actions,
            "frame_skip": 4,
            "frames": "84x84 grey, maximum of the two newest screens, area averaged",
            "noop_max": mixture.noop_max,
            "max_steps": mixture.max_steps,
            "first_seed": int(table["seed"].min()),
            "command": f"lamo data collect {mixture.name} --policies FOLDER --transitions 1000000",
        },
        "action_counts": np.bincount(actions).tolist(),
        "licence": LICENCE,
        "behaviour_sources": [text for key, text in SOURCES.items() if any(key in name for name in used)],
        "log_sha256": digest,
        "log_bytes": size,
    }
