"""Plays behaviour policies and keeps every episode as (seed, no-ops, actions) with a hash of its frames.

One process plays several games at once, so that the networks run in batches. Finished episodes are saved one
by one; a killed collection goes on where it stopped, and several processes share a set by `shard`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from lamo_core.data.collect.recorded_games import RecordedEpisode, load_recorded, save_recorded
from lamo_core.data.recipes.behaviour import BehaviourPolicy, Floats, WatchedEmulator
from lamo_core.data.recipes.mixtures import EpisodePlan, Mixture, plan_episode

NOOP = 0


@dataclass
class _Game:
    """One episode in progress in one slot."""

    slot: int
    index: int
    plan: EpisodePlan
    emulator: WatchedEmulator
    actions: list[int] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    frames: Any = field(default_factory=sha256)

    def start(self) -> None:
        self.emulator.reset(self.plan.seed)
        for _ in range(self.plan.noops):
            self.emulator.step(NOOP)
        self.frames.update(self.emulator.frame().tobytes())

    def play(self, action: int) -> None:
        self.rewards.append(self.emulator.step(action))
        self.actions.append(action)
        self.frames.update(self.emulator.frame().tobytes())

    def finish(self, mixture: Mixture) -> RecordedEpisode:
        return RecordedEpisode(
            seed=self.plan.seed,
            noops=self.plan.noops,
            actions=np.array(self.actions, np.uint8),
            rewards=np.array(self.rewards, np.int32),
            terminated=self.emulator.over,
            policy=mixture.shares[self.plan.share].name,
            noise=self.plan.noise,
            frames_sha256=self.frames.digest(),
        )


class Collector:
    """Plays one shard `(i, n)` of a mixture into `folder`: episodes i, i + n, i + 2n, …"""

    def __init__(
        self,
        mixture: Mixture,
        policies: Path,
        folder: Path,
        *,
        shard: tuple[int, int] = (0, 1),
        slots: int = 16,
    ) -> None:
        self.mixture = mixture
        self.folder = folder
        self._next, self._stride = shard
        self._slots = slots
        self._policies = self._load(policies)
        self._emulators = [WatchedEmulator(mixture.game, mixture.sticky_actions) for _ in range(slots)]

    def _load(self, folder: Path) -> list[BehaviourPolicy]:
        # Shares that read the same weights play as one policy, so that their games form one batch.
        loaded: dict[tuple[str, str], BehaviourPolicy] = {}
        for share in self.mixture.shares:
            if (share.file, share.prefix) not in loaded:
                loaded[share.file, share.prefix] = share.load(folder, self._slots)
        return [loaded[share.file, share.prefix] for share in self.mixture.shares]

    def collect(self, transitions: int) -> Iterator[RecordedEpisode]:
        """Yield finished episodes until the shard holds at least `transitions`, saved ones of before included.

        Every episode that was started is finished and kept, so that short ones are not preferred.
        """
        games: list[_Game] = []
        done = 0
        free = list(range(self._slots))
        while True:
            while free and done + sum(len(game.actions) for game in games) < transitions:
                saved = load_recorded(self.folder, self.mixture.first_seed + self._next)
                if saved is not None:
                    done += len(saved.actions)
                else:
                    games.append(self._start(free.pop()))
                self._next += self._stride
            if not games:
                return
            self._play(games)
            for game in [game for game in games if self._over(game)]:
                games.remove(game)
                free.append(game.slot)
                episode = game.finish(self.mixture)
                done += len(episode.actions)
                save_recorded(self.folder, episode)
                yield episode

    def _start(self, slot: int) -> _Game:
        plan = plan_episode(self.mixture, self._next)
        game = _Game(slot, self._next, plan, self._emulators[slot])
        game.start()
        self._policies[plan.share].forget(slot)
        return game

    def _over(self, game: _Game) -> bool:
        return game.emulator.over or len(game.actions) >= self.mixture.max_steps

    def _play(self, games: list[_Game]) -> None:
        by_policy: dict[int, list[_Game]] = {}
        for game in games:
            by_policy.setdefault(id(self._policies[game.plan.share]), []).append(game)
        for group in by_policy.values():
            policy = self._policies[group[0].plan.share]
            logits = policy.logits([game.slot for game in group], [game.emulator for game in group])
            for game, row in zip(group, logits, strict=True):
                game.play(self._choose(game.plan, row))

    def _choose(self, plan: EpisodePlan, logits: Floats) -> int:
        if plan.noise and plan.rng.random() < plan.noise:
            return int(plan.rng.integers(len(logits)))
        if self.mixture.shares[plan.share].greedy:
            return int(logits.argmax())
        chances = np.cumsum(np.exp(logits.astype(np.float64) - logits.max()))
        return int(np.searchsorted(chances, plan.rng.random() * chances[-1], side="right").clip(0, len(logits) - 1))
