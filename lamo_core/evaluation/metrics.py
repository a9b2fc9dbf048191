"""Metrics of evaluations besides returns, by name; what a metric is called in charts and files is its name."""

from __future__ import annotations

UNSEEN_LOSS = "loss/unseen"
"""Mean loss of the actions of episodes that the ratio leaves out."""
CONSTANT_LOSS = "loss/constant"
"""The same of a guess that is always the same."""
BEST_STEP = "best_step"
"""The step whose weights were evaluated, where that is the best one on held-out data."""
TITLES = {
    UNSEEN_LOSS: "loss on unseen episodes",
    CONSTANT_LOSS: "loss of a constant guess",
    BEST_STEP: "best on held-out data at step",
}
"""How metrics are told in sentences; others are told by their names."""
