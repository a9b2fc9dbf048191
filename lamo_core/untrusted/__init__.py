"""Readers of untrusted input: texts, archives, arrays and tensors, bounded and never executed."""
