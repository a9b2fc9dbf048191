"""Script that writes rliable's and SciPy's statistics of made-up scores.

    python -m tests.parity.make_statistics CHECKOUT   # a checkout of rliable; needs scipy and arch

Nothing here is imported by the product or by tests.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats

from tests.parity import inputs

SOURCE = "https://github.com/google-research/rliable, commit 3ccd9f4"
REPEATS = 20_000
"""Resamples of an interval: its ends then vary by about a hundredth of its width."""
SLOW_REPEATS = 2_000
"""Resamples of the chance of improvement, which SciPy takes half a millisecond for."""
THRESHOLDS = np.linspace(0, 100, 11)


def of_scores(case: str, metrics: Any, library: Any) -> dict[str, Any]:
    """Return rliable's statistics of two methods' scores, (runs, tasks) each."""
    ours, theirs = inputs.scores(case)

    def interval(score: Any, *tables: np.ndarray, reps: int = REPEATS) -> list[float]:
        state = np.random.RandomState(1)
        given = {"x": tables[0] if len(tables) == 1 else tables}
        _, found = library.get_interval_estimates(
            given, lambda *x: np.array([score(*x)]), reps=reps, random_state=state
        )
        return [float(end) for end in found["x"].ravel()]

    chances = metrics.probability_of_improvement
    profile, _ = library.create_performance_profile({"x": ours}, THRESHOLDS, reps=10)
    return {
        "mean": float(metrics.aggregate_mean(ours)),
        "mean interval": interval(metrics.aggregate_mean, ours),
        "iqm": float(metrics.aggregate_iqm(ours)),
        "iqm interval": interval(metrics.aggregate_iqm, ours),
        "optimality gap": float(metrics.aggregate_optimality_gap(ours, gamma=100)),
        "optimality gap interval": interval(lambda x: metrics.aggregate_optimality_gap(x, gamma=100), ours),
        "improvement": float(chances(ours, theirs)),
        "improvement interval": interval(chances, ours, theirs, reps=SLOW_REPEATS),
        "profile": [float(share) for share in profile["x"]],
    }


def of_values(count: int) -> dict[str, Any]:
    """Return SciPy's statistics of plain values."""
    values = inputs.values(count)
    found = {"trimmed mean": float(scipy.stats.trim_mean(values, 0.25))}
    if count > 20:
        drawn = scipy.stats.bootstrap(
            (values,), np.mean, n_resamples=REPEATS, method="percentile", rng=np.random.default_rng(0)
        )
        found["interval of the mean"] = [float(end) for end in drawn.confidence_interval]
    return found


def unequal() -> dict[str, Any]:
    """Return SciPy's Mann-Whitney statistic over the number of pairs, with ties and unequal numbers of runs."""
    ours, theirs = inputs.tied_scores()
    return {"improvement": float(scipy.stats.mannwhitneyu(ours, theirs).statistic / ours.size / theirs.size)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    sys.path.insert(0, str(parser.parse_args().checkout.resolve()))
    from rliable import library, metrics

    numbers = {case: of_scores(case, metrics, library) for case in inputs.SCORES}
    numbers |= {f"values {count}": of_values(count) for count in inputs.VALUES} | {"tied": unequal()}
    command = "python -m tests.parity.make_statistics CHECKOUT"
    inputs.write_numbers("statistics", command, SOURCE, ("numpy", "scipy", "arch"), numbers)
