"""Python and the names of NumPy and PyTorch that are understood, on arrays of scalar nodes."""
