"""Metrics of a run: series of numbers, and the part of a long one that a chart needs."""
