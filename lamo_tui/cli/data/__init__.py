"""`lamo data` and its commands."""
