"""One episode that is looked at: recorded or live, with a place in it that can be moved.

An episode has a past, its track, and a playhead in it. Picture t is what is seen before decision t. Inside the track
the playhead follows what was done; at its end the policy, or a person, decides. A recorded episode differs from a live
one only in having a past already, and perhaps no policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.config import TaskConfig
from lamo_core.errors import DataError, UsageError
from lamo_core.evaluation.attention_weights import Attention
from lamo_core.player.history import Ending, Row, Track
from lamo_core.tasks.environment import Array, Picture, RenderedEnv
from lamo_core.tasks.registry import get_task
from lamo_core.tasks.task import Task
from lamo_core.wording import counted

if TYPE_CHECKING:
    from lamo_core.player.policy_runner import Pilot


@dataclass(frozen=True)
class Proposal:
    """What the policy would do next."""

    at: int
    asked: float
    action: Any
    values: NDArray[np.float32]
    attention: Attention | None


class ShownEpisode:
    """An episode on an environment with pictures; `pilot` None leaves decisions to a person.

    `target` is the return to ask for from the end of `track` on.
    """

    def __init__(
        self,
        config: TaskConfig,
        shown: RenderedEnv,
        *,
        seed: int,
        noops: int,
        target: float,
        pilot: Pilot | None = None,
        track: Track | None = None,
    ) -> None:
        self.config, self.shown, self.seed, self.noops = config, shown, seed, noops
        self.target, self.pilot = target, pilot
        self.task: Task = get_task(config.name)
        self.track = track or Track()
        self.other: Track | None = None
        """What was played beyond the last branching, or the branch itself after `swap`."""
        self.at = 0
        """The playhead: decisions before it."""
        self.person = False
        """Whether a person decides; the policy goes on watching, so that it can take over at any time."""
        self._here = 0
        try:
            self._observation = shown.reset(seed, noops)
        except BaseException:
            shown.close()
            raise
        self._proposal: Proposal | None = None
        self._note_place()

    def __len__(self) -> int:
        return len(self.track)

    @property
    def at_end(self) -> bool:
        """Whether the playhead is at the end of what has been played."""
        return self.at == len(self.track)

    @property
    def over(self) -> bool:
        """Whether nothing comes after the playhead and nobody can go on."""
        return self.at_end and (bool(self.track.ended) or (self.pilot is None and not self.person))

    # moving the playhead

    def seek(self, to: int) -> None:
        """Put the playhead before decision `to`, or at the nearest end."""
        self.at = min(max(0, to), len(self.track))

    def advance(self, action: Any = None) -> bool:
        """Go one decision on, and return whether that was possible.

        At the end of the track a new decision is made: `action` if it is given, a person's, else the policy's. Raises
        `DataError` when a record does not come back as it was played.
        """
        if not self.at_end:
            self._bring(self.at + 1)
            self.at += 1
            return True
        if self.track.ended or (action is None and self.pilot is None):
            return False
        proposal = self.proposal()
        chosen = proposal.action if action is None and proposal is not None else self._checked(action)
        self._bring(self.at)
        observation, reward, terminated, truncated = self._stepped(chosen)
        ended: Ending = "terminated" if terminated else "truncated" if truncated else ""
        row = Row(
            asked=self.asked(),
            target=self.target,
            action=chosen,
            reward=float(reward),
            values=None if proposal is None else proposal.values,
            attention=None if proposal is None else proposal.attention,
            person=action is not None,
        )
        self.track.add(row, ended)
        self.at = self._here = len(self.track)
        self._observation = observation
        self._note_place()
        return True

    def scan(self, decisions: int) -> bool:
        """Play through a part of a record that was not played here yet, and return whether there is more of it.

        Afterwards every place is reached quickly, and lives are known.
        """
        played = len(self.track.lives) - 1
        if played >= len(self.track):
            return False
        self._bring(min(played + decisions, len(self.track)))
        return self._here < len(self.track)

    # what is there

    def asked(self) -> float:
        """Return the return-to-go at the playhead."""
        if not self.at_end:
            return self.track.rows[self.at].asked
        return self.target - self.track.earned[self.at]

    def picture(self) -> Picture:
        """Return what is seen at the playhead, (H, W, 3)."""
        self._bring(self.at)
        return self.shown.picture()

    def facts(self) -> dict[str, float]:
        """Return numbers of the environment at the playhead."""
        self._bring(self.at)
        return self.shown.facts()

    def proposal(self) -> Proposal | None:
        """Return what the policy would do at the end of the track; None without a policy or after the episode's end."""
        end = len(self.track)
        if self.pilot is None or self.track.ended:
            return None
        asked = self.target - self.track.earned[end]
        known = self._proposal
        if known is None or known.at != end or known.asked != asked:
            out_A = self._out_at_end(self.pilot, asked)
            action, values = self.pilot.choose(out_A, end)
            self._proposal = Proposal(end, asked, action, values, self.pilot.attention())
        return self._proposal

    # changing what comes

    def set_target(self, target: float) -> bool:
        """Ask for another return from the playhead on; returns whether that began a branch."""
        branched = self.branch()
        self.target = target
        return branched

    def branch(self) -> bool:
        """Drop what lies beyond the playhead, so that the episode goes on anew; returns whether there was anything.

        What was dropped is kept until the next branch, for `swap`.
        """
        if self.at_end:
            return False
        if self.pilot is None and not self.person:
            raise UsageError("this record has no policy beside it; take the controls yourself, or open a checkpoint")
        target = self.track.rows[self.at].target
        self.other, self.track = self.track, self.track.cut(self.at)
        self.target = target
        self._forget()
        return True

    def swap(self) -> None:
        """Exchange the track with the one before the last branching; raises `UsageError` without one."""
        if self.other is None:
            raise UsageError("there is no branch to go back to yet")
        self.other, self.track = self.track, self.other
        self.at = min(self.at, len(self.track))
        self._here = -1  # the environment stands in the other track
        self._forget()

    def go_back(self) -> bool:
        """Go back to the track before the last branching, if there is one; returns whether there is."""
        if self.other is None:
            return False
        self.swap()
        return True

    def attach(self, pilot: Pilot) -> None:
        """Give the episode a policy, which sees its past before it decides."""
        self.pilot = pilot
        self._forget()

    def go_on(self, pilot: Pilot) -> None:
        """Let a policy play from the playhead on, as if what lies behind were its own; what lies beyond is dropped."""
        if not self.at_end:
            self.target = self.track.rows[self.at].target
            self.track = self.track.cut(self.at)
        self.attach(pilot)

    def close(self) -> None:
        """Free the environment."""
        self.shown.close()

    # how places are reached

    def _forget(self) -> None:
        self._proposal = None
        if self.pilot is not None:
            found = self.track.contexts.before(len(self.track))
            self.pilot.remember(None if found is None else found[1])

    def _out_at_end(self, pilot: Pilot, asked: float) -> NDArray[np.float32]:
        end = len(self.track)
        if pilot.fed > end:
            found = self.track.contexts.before(end)
            pilot.remember(None if found is None else found[1])
        for at in range(pilot.fed, end):
            self._bring(at)
            self._keep_context(pilot)
            pilot.see(self._observation, self.track.rows[at].asked, self._action_before(at))
            self.track.note_value(at, pilot.predicted)
        self._bring(end)
        self._keep_context(pilot)
        out_A = pilot.see(self._observation, asked, self._action_before(end))
        self.track.note_value(end, pilot.predicted)
        return out_A

    def _keep_context(self, pilot: Pilot) -> None:
        if pilot.fed and self.track.contexts.wants(pilot.fed):
            self.track.contexts.keep(pilot.fed, pilot.memory())

    def _action_before(self, at: int) -> Any:
        return self.track.rows[at - 1].action if at else None

    def _bring(self, to: int) -> None:
        """Bring the environment before decision `to`."""
        if self._here == to:
            return
        if 0 <= self._here == to - 1:
            self._follow()
            return
        found = self.track.games.before(to)
        assert found is not None  # the beginning is always kept
        if not found[0] <= self._here <= to:
            self.shown.restore(found[1][0])
            self._here, self._observation = found[0], found[1][1]
        while self._here < to:
            self._follow()

    def _follow(self) -> None:
        row = self.track.rows[self._here]
        observation, reward, _, _ = self._stepped(row.action)
        if not np.isclose(reward, row.reward, rtol=1e-6, atol=1e-6):
            self._here = -1
            raise DataError(
                "the episode did not come back as it was played; use the simulator versions that it was played with"
            )
        self._here += 1
        self._observation = observation
        self._note_place()

    def _stepped(self, action: Any) -> tuple[Array, float, bool, bool]:
        here, self._here = self._here, -1  # where the environment stands if it breaks off is not known
        stepped = self.shown.step(action)
        self._here = here
        return stepped

    def _note_place(self) -> None:
        if len(self.track.lives) == self._here:
            self.track.lives.append(self.shown.facts().get("lives", 0.0))
        if self.track.games.wants(self._here):
            self.track.games.keep(self._here, (self.shown.clone(), self._observation))

    def _checked(self, action: Any) -> Any:
        if self.task.action_kind == "discrete":
            if not (isinstance(action, int) and 0 <= action < self.task.actions):
                raise UsageError(f"{self.task.title} has the actions 0 to {self.task.actions - 1}, not {action!r}")
            return action
        values = np.clip(np.asarray(action, np.float32), -1.0, 1.0)
        if values.shape != (self.task.actions,):
            raise UsageError(f"{self.task.title} takes {counted(self.task.actions, 'number')} as its action")
        return values
