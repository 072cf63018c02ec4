"""Labels (and image) to cells: one scan, exact statistics, measured features, `CellTable`. NumPy and Numba only."""
