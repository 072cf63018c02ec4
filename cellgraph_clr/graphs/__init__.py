"""Cells to graphs: edge builders, `CellGraph`, neighbour sums, tiles, and the bridges to AnnData, PyG and networkx."""
