"""File formats of data sets: action logs, vector files, packed frames, HDF5 and NumPy streams."""
