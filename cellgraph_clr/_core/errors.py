"""Every error the package raises on bad input: a child of `ValueError` (or `TypeError`) with a name to catch."""

from __future__ import annotations

__all__ = [
    "ArgumentKindError",
    "CellGraphError",
    "EmptyQueryError",
    "FileFormatError",
    "GeometryError",
    "LabelImageError",
    "LabelKeyError",
    "LostProcessError",
    "MissingDependencyError",
    "MissingFileError",
    "MissingKeyError",
    "ModelFileError",
    "NoCellsError",
    "NoGraphError",
    "NonFiniteError",
    "OptionError",
    "OutputError",
    "PairsError",
    "ShapeError",
    "TaskError",
]


class CellGraphError(ValueError):
    """Base class of every named error of `cellgraph_clr`.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> try:
    ...     cgc.from_labels(np.zeros((4, 4), int))
    ... except cgc.CellGraphError as error:
    ...     type(error).__name__
    ...
    'NoCellsError'
    """


class MissingFileError(CellGraphError, FileNotFoundError):
    """A path does not exist."""

    def __str__(self) -> str:
        """Return the message as it was written (`OSError` would print the tuple)."""
        return str(self.args[0]) if self.args else ""


class FileFormatError(CellGraphError):
    """A file exists but cannot be read as what was asked for."""


class OutputError(CellGraphError, OSError):
    """A file cannot be written: full disk, missing rights, something else in its place, contents no file can hold."""

    def __str__(self) -> str:
        """Return the message as it was written (`OSError` would print the tuple)."""
        return str(self.args[0]) if self.args else ""


class LabelImageError(CellGraphError):
    """An array is not a label image (2D or 3D integers, 0 = background, no negative ids)."""


class NoCellsError(CellGraphError):
    """There is no cell to work on."""


class NoGraphError(CellGraphError):
    """The AnnData holds no spatial graph under the key asked for."""


class NonFiniteError(CellGraphError):
    """Features, positions or intensities hold NaN or infinity."""


class ShapeError(CellGraphError):
    """Two arrays that must fit together do not."""


class GeometryError(CellGraphError):
    """Positions cannot carry the construction asked for (too few, coincident, coplanar)."""


class MissingKeyError(CellGraphError, KeyError):
    """A key of `obs`, `obsm`, `obsp` or `uns` is absent."""

    def __str__(self) -> str:
        """Return the message as it was written (`KeyError` would quote it)."""
        return str(self.args[0]) if self.args else ""


class LabelKeyError(MissingKeyError):
    """The label column asked for is absent or holds no usable class."""


class EmptyQueryError(CellGraphError):
    """A query selects no cell."""


class PairsError(CellGraphError):
    """Positives and exclusions contradict one another or the candidates."""


class OptionError(CellGraphError):
    """An option has a value outside its allowed set or range."""


class ArgumentKindError(OptionError, TypeError):
    """An argument is of a kind that cannot be used at all."""


class TaskError(CellGraphError):
    """A task to be trained does not give what the engine asks of it."""


class ModelFileError(CellGraphError):
    """A saved model or checkpoint is truncated, of another kind, or was fitted on other features."""


class LostProcessError(CellGraphError):
    """A process that shared the work was killed or is out of reach."""


class MissingDependencyError(CellGraphError, ImportError):
    """An optional dependency is not installed."""
