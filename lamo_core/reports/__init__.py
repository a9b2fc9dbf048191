"""Comparisons of recorded runs: tables, intervals, profiles, and the paper's numbers beside them."""
