"""`lamo analyse`."""
