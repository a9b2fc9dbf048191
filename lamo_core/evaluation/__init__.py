"""Roll-outs, return targets, scores and statistics."""
