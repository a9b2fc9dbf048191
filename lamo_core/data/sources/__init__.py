"""Where offline data comes from."""
