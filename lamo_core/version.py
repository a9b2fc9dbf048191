"""Version of lamo."""

__version__ = "0.1.0"
