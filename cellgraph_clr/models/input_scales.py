"""`InputScales`: how features and edges become the numbers an encoder reads, learned once and kept with the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ModelFileError
from cellgraph_clr._core.scaling import column_moments
from cellgraph_clr.graphs.neighbors import packing, typical_length
from cellgraph_clr.models.clr_inputs import check_features, edge_floors, edge_values, numbered

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from scipy.sparse import csr_matrix

    from cellgraph_clr.graphs.graph import CellGraph

__all__ = ["InputScales"]

CLIP = 5.0  # standard deviations: a single wild feature must not own the representation


@dataclass(frozen=True, slots=True, eq=False)
class InputScales:
    """Names, means and spreads of what an encoder reads.

    Parameters
    ----------
    feature_names, edge_feature_names : in the order they are read.
    unit : of lengths, where lengths are read; "" where none are.
    numbers : mean and scale of the features; with `edge_lengths` typical_length, which isolated cells get; for encoders that
        read edges edge_mean, edge_scale and edge_floor, the smallest positive values.
    """

    feature_names: list[str]
    edge_feature_names: list[str]
    unit: str
    numbers: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def learned(cls, graph: CellGraph, *, edge_lengths: bool, reads_edges: bool) -> InputScales:
        """Return the scales of a graph. `edge_lengths` puts each cell's packing beside its features."""
        numbers: dict[str, np.ndarray] = {}
        inputs = graph.cells.features
        if edge_lengths:
            numbers["typical_length"] = np.array([typical_length(graph)], np.float32)
            inputs = np.concatenate([inputs, packing(graph, float(numbers["typical_length"][0]))], axis=1)
        numbers["mean"], numbers["scale"] = column_moments(inputs)
        names: list[str] = []
        if reads_edges and len(graph.edges):
            floors = edge_floors(graph)
            names = list(floors)
            numbers["edge_floor"] = np.array(list(floors.values()), np.float32)
            numbers["edge_mean"], numbers["edge_scale"] = column_moments(edge_values(graph, floors))
        unit = graph.cells.unit if edge_lengths or names else ""
        return cls(list(graph.cells.names), names, unit, numbers)

    @property
    def n_in(self) -> int:
        """Width of what is read of a cell."""
        return len(self.numbers["mean"])

    def tensors(self, graph: CellGraph) -> tuple[torch.Tensor, csr_matrix, torch.Tensor | None]:
        """Return standardised inputs (n, f), the numbered adjacency, and the edge features of its entries or None.

        Raises `ModelFileError` for other features, other edge features, or lengths in another unit.
        """
        import torch

        check_features(self.feature_names, graph.cells.names)
        if self.unit and graph.cells.unit != self.unit:
            remedy = "Convert the positions, or fit again."
            raise ModelFileError(expected(f"lengths in {self.unit}, as fitted", graph.cells.unit, remedy))
        m = self.numbers
        inputs = graph.cells.features
        if "typical_length" in m:
            inputs = np.concatenate([inputs, packing(graph, float(m["typical_length"][0]))], axis=1)
        x = torch.from_numpy(((inputs - m["mean"]) / m["scale"]).clip(-CLIP, CLIP).astype(np.float32))
        adjacency, edge = numbered(graph)
        if not self.edge_feature_names:
            return x, adjacency, None
        check_features(self.edge_feature_names, sorted(graph.edge_features), "edge features")
        values = edge_values(graph, dict(zip(self.edge_feature_names, m["edge_floor"].tolist(), strict=True)))
        scaled = ((values - m["edge_mean"]) / m["edge_scale"]).clip(-CLIP, CLIP).astype(np.float32)
        return x, adjacency, torch.from_numpy(scaled[edge])

    def header(self) -> dict[str, Any]:
        """Return what is not an array, for a file."""
        return {"features": self.feature_names, "edge_features": self.edge_feature_names, "unit": self.unit}
