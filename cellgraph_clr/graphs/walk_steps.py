"""One step of a random walk: rows of a sparse matrix times a dense one, several times as fast as SciPy's product."""

from __future__ import annotations

from cellgraph_clr._core.kernels import kernel

__all__ = ["step_rows"]


@kernel
def step_rows(indptr, indices, data, values, out, start, stop):  # noqa: ANN001, ANN201
    """Fill the rows from `start` to `stop` of ``out = W values``, both (n, d) float32, W in compressed rows."""
    for i in range(start, stop):
        total = out[i]
        total[:] = 0
        for entry in range(indptr[i], indptr[i + 1]):
            weight, row = data[entry], values[indices[entry]]
            for c in range(len(total)):
                total[c] += weight * row[c]
