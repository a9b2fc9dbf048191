"""`lamo report` and `lamo matrix`."""
