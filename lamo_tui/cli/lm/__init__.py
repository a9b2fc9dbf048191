"""`lamo lm` and `lamo pretrain`."""
