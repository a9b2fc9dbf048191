"""Grids of runs: a plan first, then engines that work it off and survive being killed."""
