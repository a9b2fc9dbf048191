"""The list of runs with its preview."""
