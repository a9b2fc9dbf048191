"""Auxiliary heads and variants of the policy beyond the paper's method."""
