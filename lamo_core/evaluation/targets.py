"""Return targets from the data alone: picking them by what the test environment pays would be cheating."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lamo_core.config import EvalConfig
from lamo_core.errors import UsageError
from lamo_core.wording import plural

_DIGITS = 3


@dataclass(frozen=True)
class ReturnTarget:
    """A return to ask for, in the unit of the data's rewards, and where it comes from."""

    value: float
    origin: str
    """Such as `95 % quantile of 12 episodes`."""


def targets_from_returns(returns: ArrayLike, quantiles: tuple[float, ...]) -> tuple[ReturnTarget, ...]:
    """Return one target per quantile of the data's episode returns (E,), highest first, equal ones once.

    A target is rounded to three digits, to a whole number where all returns are whole, and never leaves the
    range of the data: nothing is asked for that no episode reached. Raises `UsageError` without episodes or
    quantiles.
    """
    returns_e = np.asarray(returns, dtype=np.float64)
    if not returns_e.size or not quantiles:
        raise UsageError("return targets need at least one episode and one quantile; or set eval.targets")
    episodes = f"{returns_e.size} {plural('episode', returns_e.size)}"
    found: dict[float, ReturnTarget] = {}
    for quantile in sorted(quantiles, reverse=True):
        value = _rounded(float(np.quantile(returns_e, quantile)), returns_e)
        found.setdefault(value, ReturnTarget(value, f"{100 * quantile:g} % quantile of {episodes}"))
    return tuple(found.values())


def choose_targets(config: EvalConfig, returns: ArrayLike) -> tuple[float, ...]:
    """Return the targets of a run: those of its config, else quantiles of the data's episode returns (E,)."""
    if config.targets:
        return config.targets
    return tuple(target.value for target in targets_from_returns(returns, config.target_quantiles))


def _rounded(value: float, returns_e: NDArray[np.float64]) -> float:
    magnitude = 0 if value == 0 else int(np.floor(np.log10(abs(value))))
    digits = _DIGITS - 1 - magnitude
    if np.all(returns_e == np.round(returns_e)):
        digits = min(digits, 0)
    return float(np.clip(round(value, digits), returns_e.min(), returns_e.max()))
