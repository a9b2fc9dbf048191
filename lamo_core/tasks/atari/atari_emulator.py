"""One Atari game whose frames, rewards and sticky actions equal those of ale-py's vector environment, bit
for bit.

A seed and a list of actions bring back a whole episode, which is how the bundled data are stored. Imports
only NumPy and ale-py, so that worker processes start fast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from ale_py import ALEInterface, LoggerMode, roms
from numpy.typing import NDArray

from lamo_core.errors import MissingError
from lamo_core.tasks.atari.area_resize import Pixels, area_resize
from lamo_core.tasks.door import blamed

FRAME_SKIP = 4
_CERTAIN = 1e-9
"""Chance at which an action that may be dropped in any frame counts as taken."""


@dataclass(frozen=True)
class EmulatorState:
    """A saved moment: the console with its random numbers, and the two screens that are being pooled."""

    console: Any
    pooled: Pixels
    before_last: Pixels
    key: Any
    """The action that was pressed last."""


def new_console(game: str, sticky_actions: float) -> ALEInterface:
    """Return an ALE of `game`, not yet loaded; raises `MissingError` when ale-py has no such game."""
    if game not in roms.get_all_rom_ids():
        raise MissingError(f"ale-py has no game {game!r}; install ale-py 0.11 or newer, which carries the games")
    ALEInterface.setLoggerMode(LoggerMode.Error)
    console = ALEInterface()
    console.setFloat("repeat_action_probability", sticky_actions)
    return console


class AtariEmulator:
    """An episode of one game, in decisions of `frame_skip` frames.

    `game` is ale-py's name (`breakout`), `sticky_actions` the chance per frame that the previous action is
    repeated (Machado et al. 2018). Actions are indices of the game's minimal action set; rewards are raw.
    """

    def __init__(self, game: str, sticky_actions: float = 0.25, frame_skip: int = FRAME_SKIP) -> None:
        self.game = game
        self.frame_skip = frame_skip
        self._console = new_console(game, sticky_actions)
        self._sticky = sticky_actions
        self._rom = roms.get_rom_path(game)
        self._actions: list[Any] = []
        self._key: Any = None
        self._pooled = np.zeros((210, 160), np.uint8)
        self._before_last = np.zeros((210, 160), np.uint8)

    def reset(self, seed: int) -> None:
        """Start the episode of `seed`; the sticky actions of the whole episode follow from it."""
        with blamed(self.game, f"in reset with seed {seed}"):
            self._console.setInt("random_seed", seed)
            # ALE reads its seed only while it loads a game.
            self._console.loadROM(self._rom)
            self._console.reset_game()
            self._actions = list(self._console.getMinimalActionSet())
        self._key = self._actions[0]
        self._console.getScreenGrayscale(self._pooled)
        self._before_last[:] = 0

    def step(self, action: int) -> float:
        """Hold `action` for one decision and return the raw reward; stops early at game over."""
        key = self._key = self._actions[action]
        reward = 0.0
        with blamed(self.game, "in a step"):
            for frame in range(self.frame_skip):
                reward += self._console.act(key)
                if self._console.game_over():
                    break
                if frame >= self.frame_skip - 2:
                    self._capture(newest=frame == self.frame_skip - 1)
        # Pooled in place: when the game ends inside a decision, the vector environment shows the old pool
        # under whatever was drawn before the end, and so do we.
        np.maximum(self._pooled, self._before_last, out=self._pooled)
        return reward

    def _capture(self, newest: bool) -> None:
        # The two newest screens are pooled, because some games draw an object only in every second frame.
        self._console.getScreenGrayscale(self._pooled if newest else self._before_last)

    @property
    def over(self) -> bool:
        """Whether the game is over."""
        return bool(self._console.game_over())

    @property
    def lives(self) -> int:
        """How many lives are left."""
        return int(self._console.lives())

    @property
    def actions(self) -> int:
        """How many actions the game's minimal action set has."""
        return len(self._console.getMinimalActionSet())

    def frame(self) -> Pixels:
        """Return the (84, 84) grey observation: the maximum of the two newest screens, area averaged."""
        return area_resize(self._pooled)

    def screen(self) -> Pixels:
        """Return the newest screen in colour, (210, 160, 3)."""
        return np.asarray(self._console.getScreenRGB())

    def ram(self) -> NDArray[np.uint8]:
        """Return the console's 128 bytes of memory."""
        return np.asarray(self._console.getRAM())

    def clone(self) -> EmulatorState:
        """Return the present moment, with the state of the sticky actions."""
        console = self._console.cloneState(include_rng=True)
        return EmulatorState(console, self._pooled.copy(), self._before_last.copy(), self._key)

    def _press(self, key: Any) -> None:
        """Make the console forget the action before.

        A sticky action repeats the one that the console took last, which it keeps outside of its states: after going
        back it would repeat what was pressed elsewhere. A frame drops a press with the chance of sticky actions, so
        it is pressed until it was surely taken.
        """
        if 0.0 < self._sticky < 1.0:
            for _ in range(math.ceil(math.log(_CERTAIN) / math.log(self._sticky))):
                self._console.act(key)

    def restore(self, state: EmulatorState) -> None:
        """Go back to a moment of `clone`; the game must be the same."""
        self._console.restoreState(state.console)
        self._press(state.key)
        self._console.restoreState(state.console)
        self._key = state.key
        self._pooled[:] = state.pooled
        self._before_last[:] = state.before_last
