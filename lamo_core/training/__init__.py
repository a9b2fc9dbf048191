"""The training loop and what makes it exact: optimiser, checkpoint, streams of randomness."""
