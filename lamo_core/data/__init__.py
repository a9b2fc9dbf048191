"""Offline data: episodes, ratios, windows and their sources."""
