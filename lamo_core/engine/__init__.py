"""Runs from their specification to their end: beginning, training, stopping, resuming."""
