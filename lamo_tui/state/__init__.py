"""State of the dashboard without Textual: runs, settings, alerts, system load."""
