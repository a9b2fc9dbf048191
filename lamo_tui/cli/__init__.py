"""Typer commands; nothing heavy is imported before a command runs."""
