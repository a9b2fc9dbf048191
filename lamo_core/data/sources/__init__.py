"""Where episodes come from: the sources of data sets, and what they fetch, convert and open."""
