"""The screen that sets up new runs."""
