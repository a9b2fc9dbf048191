"""Metrics of evaluations besides returns, by name; what a metric is called in charts and files is its name."""

from __future__ import annotations

UNSEEN_LOSS = "loss/unseen"
"""Mean loss of the actions of episodes that the ratio leaves out."""
TITLES = {UNSEEN_LOSS: "loss on unseen episodes"}
"""How metrics are told in sentences; others are told by their names."""
