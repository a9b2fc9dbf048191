"""Atari: emulator, preprocessing, batches of games, scores."""
