"""`lamo sweep`."""
