"""Low-rank adapters (Hu et al. 2021) and which matrices they are put on."""
