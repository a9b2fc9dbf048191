"""Recording of new episodes as data sets."""
