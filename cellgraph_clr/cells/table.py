"""`CellTable`: identities, positions and features of cells, the first of the four nouns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cellgraph_clr._core.checks import check_same_length, expected, listing
from cellgraph_clr._core.errors import CellGraphError
from cellgraph_clr._core.ids import as_whole
from cellgraph_clr._core.numbers import as_float32
from cellgraph_clr._core.positions import as_positions, check_positions

__all__ = ["CellTable", "FeatureInfo"]


@dataclass(frozen=True, slots=True)
class FeatureInfo:
    """What a feature column is: plain name, group, channel ("" for none) and unit ("1" for a pure number)."""

    name: str
    group: str = "other"
    channel: str = ""
    unit: str = "1"


@dataclass(frozen=True, slots=True, eq=False)
class CellTable:
    """Cells with identity, position and features; validated at construction, never edited.

    Parameters
    ----------
    cell_id : (n,) int64, 0 and above, as in the file, never renumbered.
    position : (n, d) float64, z, y, x (or y, x), in `unit`; d is 2 or 3.
    unit : physical unit of positions, e.g. "micrometer" or "pixel".
    features : (n, f) float32.
    info : f entries that name the columns; names are unique.
    sample : (n,) str, the sample (library) of each cell; "" when there is one.
    frame : (n,) int64, time point; 0 for still images.

    Raises
    ------
    ShapeError
        If lengths or the number of dimensions do not fit.
    NonFiniteError
        If a position is NaN or infinite, or a feature too large for float32.
    GeometryError
        If cells are so far apart, or so near, that float32 holds no distances between them.
    CellGraphError
        If an id is negative, above 2**63 - 1 or no whole number, or (sample, frame, cell_id) or feature names are not unique.
    """

    cell_id: np.ndarray
    position: np.ndarray
    unit: str
    features: np.ndarray
    info: tuple[FeatureInfo, ...]
    sample: np.ndarray
    frame: np.ndarray

    def __post_init__(self) -> None:
        """Check lengths, finiteness and uniqueness."""
        n = len(self.cell_id)
        as_positions(self.position)
        for name in ("position", "features", "sample", "frame"):
            check_same_length(n, len(getattr(self, name)), what_a="cell ids", what_b=f"`{name}` rows", remedy="Join.")
        check_same_length(
            self.features.shape[1],
            len(self.info),
            what_a="feature columns",
            what_b="`info` entries",
            remedy="Name all.",
        )
        as_whole(self.cell_id, "cell ids", remedy="Renumber the cells.")
        check_positions(self.position)
        names = [i.name for i in self.info]
        repeated = sorted({x for x in names if names.count(x) > 1}) if len(set(names)) != len(names) else []
        if repeated:
            raise CellGraphError(expected("unique feature names", f"repeated {listing(repeated)}", "Rename them."))
        order = np.lexsort((self.cell_id, self.frame, self.sample))
        same = np.ones(max(n - 1, 0), bool)
        for key in (self.cell_id, self.frame, self.sample):
            same &= key[order][1:] == key[order][:-1]
        if same.any():
            ids = np.unique(self.cell_id[order][1:][same])
            remedy = "Name the column of the samples by `library_key=`, or join samples by `cgc.concat`."
            raise CellGraphError(
                expected("every cell id once per sample and frame", f"repeated ids {listing(ids)}", remedy)
            )

    @classmethod
    def build(
        cls,
        cell_id: np.ndarray,
        position: np.ndarray,
        *,
        unit: str,
        features: np.ndarray | None = None,
        info: tuple[FeatureInfo, ...] = (),
        sample: np.ndarray | str = "",
        frame: np.ndarray | int = 0,
    ) -> CellTable:
        """Return a table from what is at hand; single samples and frames are broadcast, dtypes are made canonical."""
        ids = as_whole(cell_id, "cell ids", remedy="Renumber the cells.")
        n = len(ids)
        values = np.zeros((n, 0)) if features is None else np.asarray(features)
        samples = np.full(n, sample, dtype=object) if isinstance(sample, str) else np.asarray(sample, dtype=object)
        frames = np.full(n, frame, np.int64) if np.ndim(frame) == 0 else np.asarray(frame, np.int64)
        place = np.asarray(position, np.float64)
        narrow = as_float32(values, [i.name for i in info])
        return cls(ids, place, unit, narrow, info, samples.astype(str), frames)

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.cell_id)

    @property
    def names(self) -> list[str]:
        """Names of the feature columns."""
        return [i.name for i in self.info]

    def select(self, rows: np.ndarray) -> CellTable:
        """Return a new table of the given rows (mask or indices)."""
        return replace(
            self,
            cell_id=self.cell_id[rows],
            position=self.position[rows],
            features=self.features[rows],
            sample=self.sample[rows],
            frame=self.frame[rows],
        )
