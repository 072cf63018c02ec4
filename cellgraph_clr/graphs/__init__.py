"""Cells to graphs: edge builders, `CellGraph`, neighbour sums, tiles, and the bridges to PyG and networkx."""
