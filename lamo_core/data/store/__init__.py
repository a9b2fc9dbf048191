"""Data sets that are on this machine: bundled, collected, fetched and imported ones."""
