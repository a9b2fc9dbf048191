"""Contexts of environments whose episodes begin at different times.

A context holds episodes that began together. Environments that begin anew leave theirs and form another one, so that
every episode is decided as it would be in a roll-out of its own.

Shape suffixes: N environments, M of them in one cohort, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lamo_core.config import ContextMode
from lamo_core.errors import LamoError
from lamo_core.evaluation.contexts import Actor, Context, make_context


@dataclass
class _Cohort:
    """Episodes that began together."""

    rows_M: NDArray[np.int64]
    context: Context
    begun: bool = False


class Cohorts:
    """Decides for environments side by side; the policy is put in evaluation mode."""

    def __init__(self, policy: Actor, mode: ContextMode) -> None:
        self._policy, self._mode = policy.eval(), mode
        self._device = next(policy.parameters()).device
        self._cohorts: list[_Cohort] = []

    def begin(self, rows_M: NDArray[np.int64]) -> None:
        """Begin episodes in these environments, the first ones or others."""
        with torch.inference_mode():
            for cohort in self._cohorts:
                self._leave(cohort, rows_M)
        waiting = [cohort for cohort in self._cohorts if not cohort.begun]
        self._cohorts = [cohort for cohort in self._cohorts if cohort.begun and cohort.rows_M.size]
        # those that have not decided yet begin together, however many calls named them
        fresh_M = np.sort(np.concatenate([rows_M, *(cohort.rows_M for cohort in waiting)]))
        self._cohorts.append(_Cohort(fresh_M, make_context(self._mode, self._policy)))

    def decide(
        self, observations_N: NDArray[Any], returns_N: NDArray[np.float64], previous_N: NDArray[Any]
    ) -> NDArray[np.float32]:
        """Return the logits or action means (N, A) of the next decisions.

        `observations_N` is (N, 4, 84, 84) uint8 or (N, O) float32, `returns_N` the return-to-go in the unit of rewards
        and `previous_N` the last actions, which count where an episode has begun. Raises `LamoError` when the outputs
        are no finite numbers.
        """
        out_NA: NDArray[np.float32] | None = None
        with torch.inference_mode():
            for cohort in self._cohorts:
                rows = cohort.rows_M
                out_MA = cohort.context.decide(
                    self._tensor(observations_N[rows]),
                    self._tensor(returns_N[rows] / self._policy.return_scale).float(),
                    self._tensor(previous_N[rows]) if cohort.begun else None,
                )
                cohort.begun = True
                outputs_MA = out_MA.cpu().numpy()
                if out_NA is None:
                    out_NA = np.zeros((len(observations_N), outputs_MA.shape[1]), np.float32)
                out_NA[rows] = outputs_MA
        assert out_NA is not None  # somebody has begun
        if not np.isfinite(out_NA).all():
            raise LamoError("the policy's outputs are not finite numbers; use an earlier checkpoint of its run")
        return out_NA

    def _leave(self, cohort: _Cohort, rows_M: NDArray[np.int64]) -> None:
        stay = np.flatnonzero(~np.isin(cohort.rows_M, rows_M))
        if stay.size == cohort.rows_M.size:
            return
        if cohort.begun and stay.size:
            cohort.context.keep(torch.from_numpy(stay).to(self._device))
        cohort.rows_M = cohort.rows_M[stay]

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)
