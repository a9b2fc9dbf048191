"""The contract with every family of causal language models."""
