"""The engine of lamo: few-shot offline reinforcement learning with pre-trained language models."""

__version__ = "0.1.0"
