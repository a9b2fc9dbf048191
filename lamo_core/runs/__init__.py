"""The run directory: the only contract between the engine, the command line and the dashboard."""
