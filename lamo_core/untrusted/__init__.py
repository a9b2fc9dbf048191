"""Readers of what comes from strangers: texts, archives, arrays and tensors, bounded and never executed."""
