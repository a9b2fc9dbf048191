"""Charts drawn in terminal cells, and their export."""
