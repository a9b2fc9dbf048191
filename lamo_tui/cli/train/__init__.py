"""`lamo train` and `lamo eval`."""
