"""Speed, time left and what a run will cost."""
