"""`Plate`: fields of wells and samples as a table, their images read when asked for, corrected and normalised by name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_key, check_option, expected, listing
from cellgraph_clr._core.errors import LabelImageError, NoCellsError, OptionError, ShapeError
from cellgraph_clr._core.units import PIXEL
from cellgraph_clr.cells.given import given_image, given_labels
from cellgraph_clr.cells.label_image import LabelImage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

__all__ = ["Plate", "field_masks"]

COLUMNS = ("sample", "well", "field")
NORMALISATIONS = ("none", "plate", "field")
LOW, HIGH = 1.0, 99.8  # percentiles that become 0 and 1
SMOOTH = 1 / 8  # spread of what illumination is smoothed by, in sides of a field
LOOKED_AT = 64  # fields that percentiles and illumination are read from


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """Fields of one or several wells and samples.

    Made by `build` or `cgc.read_plate`.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a field with sample, well and field, and whatever else is known (drug, dose, …).
    read : callable
        The image (c, y, x) of field i.
    channels : tuple of str
        One name per channel.
    labels : callable or None, default None
        The masks (y, x) of field i, or None.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import cellgraph_clr as cgc
    >>> rng = np.random.default_rng(0)
    >>> images = [rng.random((1, 64, 64)).astype(np.float32) + i // 2 for i in range(4)]
    >>> table = pd.DataFrame({"sample": ["a", "a", "b", "b"], "field": [0, 1, 0, 1]})
    >>> plate = cgc.Plate.build(table, images)
    >>> plate
    <Plate of 2 samples, 2 wells, 4 fields, channels channel_0>
    """

    table: pd.DataFrame
    read: Callable[[int], np.ndarray]
    channels: tuple[str, ...]
    labels: Callable[[int], np.ndarray] | None = None
    _illumination: np.ndarray | None = field(default=None, init=False, repr=False)
    _range: tuple[np.ndarray, np.ndarray] | None = field(default=None, init=False, repr=False)
    _by_field: bool = field(default=False, init=False, repr=False)

    @classmethod
    @checked
    def build(
        cls,
        table: pd.DataFrame,
        images: Any,
        *,
        channels: Sequence[str] | None = None,
        labels: Any = None,
    ) -> Plate:
        """Return a checked plate of images in an array or a list.

        Parameters
        ----------
        table : pandas.DataFrame
            With the columns sample, well and field; missing ones of the last two count the fields of a sample.
        images : object
            (n, c, y, x), or a list of (c, y, x).
        channels : sequence of str or None, default None
            Names; by number when not given.
        labels : object, default None
            (n, y, x), or a list of (y, x), or None.

        Returns
        -------
        Plate
            The checked plate.

        Raises
        ------
        MissingKeyError, ShapeError, NoCellsError
            Without samples; for images or names that do not fit the table; without fields.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> import cellgraph_clr as cgc
        >>> rng = np.random.default_rng(0)
        >>> images = [rng.random((1, 64, 64)).astype(np.float32) + i // 2 for i in range(4)]
        >>> table = pd.DataFrame({"sample": ["a", "a", "b", "b"], "field": [0, 1, 0, 1]})
        >>> plate = cgc.Plate.build(table, images)
        >>> plate
        <Plate of 2 samples, 2 wells, 4 fields, channels channel_0>
        """
        if len(table) == 0:
            raise NoCellsError(expected("at least one field", "an empty table", "Check the folder or the pattern."))
        for name, given in (("images", images), ("labels", labels)):
            if (given is not None or name == "images") and (
                not hasattr(given, "__len__") or getattr(given, "ndim", 1) == 0
            ):
                remedy = "Pass an array (n, …) or a list; the table comes first."
                raise OptionError(expected(f"`{name}` of every row of the table", type(given).__name__, remedy))
            if given is not None and len(given) != len(table):
                raise ShapeError(expected(f"{len(table)} {name}", len(given), "One for every row of the table."))
        n = int(np.shape(images[0])[0])
        names = tuple((f"channel_{i}" for i in range(n)) if channels is None else channels)
        if len(names) != n:
            raise ShapeError(expected(f"{n} names of channels", len(names), "Name every channel."))
        masks = None if labels is None else (lambda i: np.asarray(given_labels(labels[i])))
        return cls(_with_columns(table), lambda i: np.asarray(given_image(images[i]), np.float32), names, masks)

    def __len__(self) -> int:
        """Return the number of fields."""
        return len(self.table)

    def __repr__(self) -> str:
        """Return one sentence."""
        t = self.table
        parts = f"{t['sample'].nunique()} samples, {t['well'].nunique()} wells, {len(t)} fields"
        return f"<Plate of {parts}, channels {', '.join(self.channels)}>"

    def image(self, i: int) -> np.ndarray:
        """Return the image (c, y, x) float32 of field i, corrected and normalised. Raises `ShapeError` for other channels.

        Parameters
        ----------
        i : int
            Line of the table.

        Returns
        -------
        numpy.ndarray
            The image (c, y, x) float32 of field i, corrected and normalised.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> plate = cgc.datasets.phenotype_plate(2, 2, side=64, random_state=0)
        >>> plate.image(0).shape  # channels, y, x
        (3, 64, 64)
        """
        out = np.asarray(self.read(i), np.float32)
        if out.ndim != 3 or len(out) != len(self.channels):
            wanted = f"an image of {len(self.channels)} channels (c, y, x)"
            raise ShapeError(expected(wanted, f"{out.shape} in field {i}", "Check the file."))
        if self._illumination is not None:
            if out.shape != self._illumination.shape:
                found = f"{out.shape[1:]} in field {i}"
                remedy = "Correct illumination of plates of one size."
                raise ShapeError(expected(f"a field of {self._illumination.shape[1:]} pixels", found, remedy))
            out = out / self._illumination
        low_high = _percentiles(out) if self._by_field else self._range
        if low_high is None:
            return out
        low, high = (np.asarray(v, np.float32)[:, None, None] for v in low_high)
        scaled = out - low
        scaled /= np.maximum(high - low, 1e-6)
        return np.clip(scaled, -1, 5, out=scaled)

    def label_image(self, i: int, *, spacing: float | Sequence[float] | None = None, unit: str = PIXEL) -> LabelImage:
        """Return the masks of field i with its image. Raises `OptionError` without labels.

        Parameters
        ----------
        i : int
            Line of the table.
        spacing : float or sequence of float or None, default None
            Pixel size.
        unit : str, default PIXEL
            Unit of the spacing.

        Returns
        -------
        LabelImage
            The masks of field i with its image.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> plate = cgc.datasets.phenotype_plate(2, 2, side=64, random_state=0)
        >>> field = plate.label_image(0, spacing=0.5, unit="micrometer")
        >>> field.channels
        ('DNA', 'actin', 'pH3')
        """
        self.check_labels()
        assert self.labels is not None
        return LabelImage.build(self.labels(i), self.image(i), spacing=spacing, unit=unit, channels=self.channels)

    def check_labels(self) -> None:
        """Raise `OptionError` without labels.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> import cellgraph_clr as cgc
        >>> plate = cgc.Plate.build(pd.DataFrame({"sample": ["a", "b"]}), np.zeros((2, 1, 16, 16)))
        >>> try:
        ...     plate.check_labels()
        ... except cgc.CellGraphError as error:
        ...     print(error)
        Expected a plate with labels, found one without. Pass `labels=` to `cgc.Plate.build`.
        """
        if self.labels is None:
            raise OptionError(expected("a plate with labels", "one without", "Pass `labels=` to `cgc.Plate.build`."))

    def rows(self, samples: Sequence[str]) -> np.ndarray:
        """Return the fields of some samples, in order. Raises `MissingKeyError` for one that is not there.

        Parameters
        ----------
        samples : sequence of str
            Names of samples; None takes all.

        Returns
        -------
        numpy.ndarray
            The fields of some samples, in order.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> import cellgraph_clr as cgc
        >>> table = pd.DataFrame({"sample": ["drug", "control", "drug"]})
        >>> plate = cgc.Plate.build(table, np.zeros((3, 1, 16, 16)))
        >>> plate.rows(["drug"]).tolist()
        [0, 2]
        """
        known = self.table["sample"].astype(str)
        for name in samples:
            check_key(str(name), sorted(set(known)), where="the samples")
        return np.flatnonzero(known.isin([str(s) for s in samples]).to_numpy())

    def normalized(self, intensity_scale: str = "plate", *, illumination: bool = False, random_state: int = 0) -> Plate:
        """Return the plate with images corrected and normalised as they are read.

        Parameters
        ----------
        intensity_scale : str, default "plate"
            "plate" makes the 1 and 99.8 percentiles over the plate 0 and 1 in every channel (differences between
            samples stay), "field" those of each field (they go), "none" leaves values as they are.
        illumination : bool, default False
            Divide by how bright every place is on average over the plate, smoothed by an eighth of a field; only where
            all fields have one size.
        random_state : int, default 0
            Of the 64 fields that are looked at.

        Returns
        -------
        Plate
            The plate with images corrected and normalised as they are read.

        Raises
        ------
        OptionError, ShapeError
            For another `intensity_scale`; for fields of different size where illumination is corrected.

        Notes
        -----
        One field in memory at a time. Source of the illumination: Singh et al. 2014, by the mean.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> plate = cgc.datasets.phenotype_plate(2, 2, side=64, random_state=0)
        >>> bool(plate.image(0).max() > 100), bool(plate.normalized().image(0).max() <= 5)
        (True, True)
        """
        check_option("intensity_scale", intensity_scale, NORMALISATIONS)
        rng = np.random.default_rng(random_state)
        some = np.sort(rng.choice(len(self), min(LOOKED_AT, len(self)), replace=False))
        plain = self.with_scales(None, None, by_field=False)
        shape = _illumination(plain, some) if illumination else None
        corrected = plain.with_scales(None, shape, by_field=intensity_scale == "field")
        if intensity_scale != "plate":
            return corrected
        ranges = [_percentiles(corrected.image(int(i))) for i in some]
        low, high = (np.median([r[k] for r in ranges], axis=0) for k in (0, 1))
        return plain.with_scales((low.astype(np.float32), high.astype(np.float32)), shape, by_field=False)

    @property
    def scales(self) -> tuple[tuple[np.ndarray, np.ndarray] | None, np.ndarray | None]:
        """What images are scaled by: values (c,) that become 0 and 1, and illumination (c, y, x); None where they are not.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> plate = cgc.datasets.phenotype_plate(2, 2, side=64, random_state=0)
        >>> plate.scales
        (None, None)
        >>> (low, high), illumination = plate.normalized().scales
        >>> low.shape  # one value a channel
        (3,)
        """
        return self._range, self._illumination

    def with_scales(
        self, low_high: tuple[np.ndarray, np.ndarray] | None, illumination: np.ndarray | None, *, by_field: bool
    ) -> Plate:
        """Return the plate scaled as another one (`scales`), or each field by itself.

        Parameters
        ----------
        low_high : tuple of numpy.ndarray, numpy.ndarray or None
            (c,) values that become 0 and 1; None leaves values as they are.
        illumination : numpy.ndarray or None
            (c, y, x) that images are divided by, 1 on average; None divides by nothing.
        by_field : bool
            Make the 1 and 99.8 percentiles of each field 0 and 1 instead of `low_high`.

        Returns
        -------
        Plate
            The plate scaled as another one (`scales`), or each field by itself.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> first, second = (cgc.datasets.phenotype_plate(2, 2, side=64, random_state=i) for i in (0, 1))
        >>> limits, illumination = first.normalized().scales
        >>> alike = second.with_scales(limits, illumination, by_field=False)  # one scale for both plates
        >>> alike.scales[0] is limits
        True
        """
        other = replace(self)
        for name, value in (("_range", low_high), ("_illumination", illumination), ("_by_field", by_field)):
            object.__setattr__(other, name, value)
        return other

    def saturation(self, *, rows: np.ndarray | None = None) -> pd.DataFrame:
        """Return the share of pixels at the highest value of a field, by field and channel; above 1 % a field is saturated.

        `rows` (m,) fields, None takes all. Only where that value is that of an integer type, or occurs more than once. One field
        in memory at a time.

        Parameters
        ----------
        rows : numpy.ndarray or None, default None
            Lines of the table.

        Returns
        -------
        pandas.DataFrame
            The share of pixels at the highest value of a field, by field and channel.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> plate = cgc.datasets.phenotype_plate(2, 2, side=64, random_state=0)
        >>> share = plate.saturation()
        >>> share.shape  # fields, channels
        (4, 3)
        >>> share.index[(share > 0.01).any(axis=1)].tolist()  # fields to look at
        []
        """
        import pandas as pd

        fields = np.arange(len(self)) if rows is None else np.asarray(rows)
        shares = []
        for i in fields:
            raw = np.asarray(self.read(int(i)))
            top = raw.reshape(len(raw), -1).max(axis=1)
            shares.append([(c == t).mean() if (c == t).sum() > 1 else 0.0 for c, t in zip(raw, top, strict=True)])
        return pd.DataFrame(shares, columns=list(self.channels), index=fields)


def _percentiles(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.percentile(image.reshape(len(image), -1), (LOW, HIGH), axis=1)
    return low, high


def _illumination(plate: Plate, rows: np.ndarray) -> np.ndarray:
    """Return how bright every place is (c, y, x), 1 on average."""
    from scipy.ndimage import gaussian_filter

    total: np.ndarray | None = None
    for i in rows:
        image = plate.image(int(i))
        if total is not None and image.shape != total.shape:
            remedy = "Correct illumination of plates of one size."
            raise ShapeError(expected(f"fields of {total.shape[1:]} pixels", f"{image.shape[1:]} in field {i}", remedy))
        total = image.astype(np.float64) if total is None else total + image
    mean = np.asarray(total) / len(rows)
    smooth = np.stack([gaussian_filter(c, [SMOOTH * n for n in c.shape], mode="nearest") for c in mean])
    level = smooth.mean(axis=(1, 2), keepdims=True)
    return np.asarray(np.maximum(smooth / np.where(level > 0, level, 1), 0.05), np.float32)


def _with_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with sample, well and field as text."""
    check_key("sample", list(table.columns), where="the table of fields")
    out = table.reset_index(drop=True).copy()
    out["sample"] = out["sample"].astype(str)
    out["well"] = (out["well"] if "well" in out else out["sample"]).astype(str)
    out["field"] = (out["field"] if "field" in out else out.groupby(["sample", "well"]).cumcount()).astype(str)
    double = out.duplicated(list(COLUMNS))
    if double.any():
        found = listing([" ".join(r) for r in out.loc[double, list(COLUMNS)].to_numpy()])
        raise ShapeError(expected("one row for each sample, well and field", f"{found} again", "Number the fields."))
    return out


def field_masks(plate: Plate, i: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return the labels (y, x) of field i of a plate, whose pixels are `shape`; 0 is background.

    Raises `OptionError` without labels, `ShapeError` for labels of another shape, and `LabelImageError` for ids below 0.
    """
    plate.check_labels()
    assert plate.labels is not None
    found = np.asarray(plate.labels(i))
    if found.shape != tuple(shape):
        wanted = f"labels of {tuple(shape)} pixels, as the image of line {i}"
        raise ShapeError(expected(wanted, found.shape, "Pass the masks of this field."))
    if found.min(initial=0) < 0:
        wanted = f"ids of 0 (background) and above as labels of line {i}"
        raise LabelImageError(expected(wanted, found.min(), "Pass the masks as whole numbers from 0."))
    return found
