"""Recipes of the bundled data sets: behaviour policies, scripted controllers and packing."""
