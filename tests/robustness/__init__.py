"""Hostile inputs, kills and a soak: minutes by default, longer by options; run with `pytest -m robustness -n 0`."""
