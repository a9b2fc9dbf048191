"""Episodes to look at: recorded ones and live ones, and the process that plays them for the dashboard."""
