"""Checks of data sets: plausible, fit for their task, whole."""
