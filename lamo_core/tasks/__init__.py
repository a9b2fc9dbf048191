"""Tasks: one record per environment that the paper trains on."""
