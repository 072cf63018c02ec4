"""`InputScales`: how features and edges become the numbers an encoder reads, learned once and kept with the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import expected, listing
from cellgraph_clr._core.errors import ModelFileError
from cellgraph_clr._core.scaling import column_moments
from cellgraph_clr.graphs.neighbors import packing, typical_length

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
            floors = _edge_floors(graph)
            names = list(floors)
            numbers["edge_floor"] = np.array(list(floors.values()), np.float32)
            numbers["edge_mean"], numbers["edge_scale"] = column_moments(_edge_values(graph, floors))
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

        _check_features(self.feature_names, graph.cells.names)
        if self.unit and graph.cells.unit != self.unit:
            remedy = "Convert the positions, or fit again."
            raise ModelFileError(expected(f"lengths in {self.unit}, as fitted", graph.cells.unit, remedy))
        m = self.numbers
        inputs = graph.cells.features
        if "typical_length" in m:
            inputs = np.concatenate([inputs, packing(graph, float(m["typical_length"][0]))], axis=1)
        if any(name not in m or m[name].shape != (inputs.shape[1],) for name in ("mean", "scale")):
            remedy = "It was damaged or changed: save the model again."
            raise ModelFileError(
                expected(f"mean and scale of {inputs.shape[1]} features in the model", "others", remedy)
            )
        x = torch.from_numpy(((inputs - m["mean"]) / m["scale"]).clip(-CLIP, CLIP).astype(np.float32))
        adjacency, edge = _numbered(graph)
        if not self.edge_feature_names:
            return x, adjacency, None
        _check_features(self.edge_feature_names, sorted(graph.edge_features), "edge features")
        values = _edge_values(graph, dict(zip(self.edge_feature_names, m["edge_floor"].tolist(), strict=True)))
        scaled = ((values - m["edge_mean"]) / m["edge_scale"]).clip(-CLIP, CLIP).astype(np.float32)
        return x, adjacency, torch.from_numpy(scaled[edge])

    def header(self) -> dict[str, Any]:
        """Return what is not an array, for a file."""
        names = {"features": self.feature_names, "edge_features": self.edge_feature_names}
        return {**names, "unit": self.unit, "n_in": self.n_in}


def _check_features(fitted: Sequence[str], given: Sequence[str], what: str = "features") -> None:
    """Raise `ModelFileError` unless the features are those a model was fitted on, in their order."""
    if list(fitted) == list(given):
        return
    missing = [n for n in fitted if n not in set(given)]
    extra = [n for n in given if n not in set(fitted)]
    raise ModelFileError(
        expected(
            f"the {len(fitted)} {what} the model was fitted on",
            f"{len(given)} {what} (missing: {listing(missing)}; new: {listing(extra)})",
            "Measure the same features, in the same order, or fit again.",
        )
    )


def _numbered(graph: CellGraph) -> tuple[csr_matrix, np.ndarray]:
    """Return the adjacency whose values are the numbers (int64) of its entries, and the edge that each entry is of."""
    from scipy.sparse import csr_matrix

    indptr, indices, edge = graph.structure()
    n = len(graph.cells)
    return csr_matrix((np.arange(len(indices)), indices, indptr), shape=(n, n)), edge


def _edge_floors(graph: CellGraph) -> dict[str, float]:
    """Return the smallest positive value of every edge feature, by name; 1 where there is none."""
    positive = {k: v[v > 0] for k, v in sorted(graph.edge_features.items())}
    return {k: float(v.min()) if len(v) else 1.0 for k, v in positive.items()}


def _edge_values(graph: CellGraph, floors: Mapping[str, float]) -> np.ndarray:
    """Return the logs of the edge features named in `floors` (m, k) float32, in that order.

    Values below the floor take the floor. They stay as they are under rotation and translation.
    """
    columns = [np.log(np.maximum(graph.edge_features[k].astype(np.float64), low)) for k, low in floors.items()]
    return np.stack(columns, axis=1).astype(np.float32) if columns else np.zeros((len(graph.edges), 0), np.float32)
