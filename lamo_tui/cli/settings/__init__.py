"""`lamo settings`: show and change the dashboard's settings."""
