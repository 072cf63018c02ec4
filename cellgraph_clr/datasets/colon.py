"""Colon glands: the immunohistochemistry image that ships with scikit-image, segmented into nuclei."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellgraph_clr.cells.label_image import LabelImage

__all__ = ["ColonTissue", "colon_glands", "segment_nuclei", "stained_regions"]

NUCLEUS_SIGMA = 2.0  # pixels: smooths chromatin, keeps the gap between neighbouring nuclei
NUCLEUS_DISTANCE = 4  # pixels between the centres of two nuclei at the least
SMALLEST_NUCLEUS = 20  # pixels
GLAND_SIGMA = 5.0  # pixels: the stain marks membranes, a gland is where they are dense
SMALLEST_GLAND = 2000  # pixels


@dataclass(frozen=True, slots=True, eq=False)
class ColonTissue:
    """A stained section: nuclei with stain channels, the colour image, and the glands that the stain outlines.

    Parameters
    ----------
    nuclei : LabelImage
        Labels (512, 512) with the channels "hematoxylin" and "dab" (optical density of each stain).
    rgb : numpy.ndarray
        (512, 512, 3) uint8.
    glands : numpy.ndarray
        (512, 512) int labels of DAB-dense regions: a reference made from the stain, not an annotation.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.colon_glands()
    >>> tissue.rgb.shape, int(tissue.glands.max())
    ((512, 512, 3), 2)
    """

    nuclei: LabelImage
    rgb: np.ndarray
    glands: np.ndarray


def segment_nuclei(hematoxylin: np.ndarray) -> np.ndarray:
    """Return nucleus labels (y, x) int32 of a hematoxylin density: local threshold, then watershed on the density."""
    from skimage.feature import peak_local_max
    from skimage.filters import gaussian, threshold_local
    from skimage.morphology import area_opening, disk, opening
    from skimage.segmentation import watershed

    smooth = gaussian(hematoxylin, 1.0)
    floor = np.quantile(smooth, 0.3)
    mask = (smooth > threshold_local(smooth, 51, offset=0)) & (smooth > floor)
    mask = area_opening(opening(mask, disk(1)), SMALLEST_NUCLEUS + 1)
    density = gaussian(hematoxylin, NUCLEUS_SIGMA)
    peaks = peak_local_max(density, min_distance=NUCLEUS_DISTANCE, labels=mask.astype(int), exclude_border=False)
    markers = np.zeros(mask.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels = watershed(-density, markers, mask=mask)
    small = np.flatnonzero(np.bincount(labels.ravel()) < SMALLEST_NUCLEUS)
    labels[np.isin(labels, small)] = 0
    return labels.astype(np.int32)


def stained_regions(dab: np.ndarray) -> np.ndarray:
    """Return labels (y, x) of connected regions dense in a stain: smoothed, above Otsu's threshold, not tiny."""
    from scipy.ndimage import label
    from skimage.filters import gaussian, threshold_otsu
    from skimage.morphology import area_opening, closing, disk

    smooth = gaussian(dab, GLAND_SIGMA)
    mask = closing(smooth > threshold_otsu(smooth), disk(6))
    return label(area_opening(mask, SMALLEST_GLAND + 1))[0]


def colon_glands() -> ColonTissue:
    """Return the colon section of scikit-image, segmented; nothing is downloaded.

    Colour deconvolution into hematoxylin and DAB, watershed to nuclei, and the glands that DAB marks. The pixel size of
    the image is not published: positions are in pixels.

    Returns
    -------
    ColonTissue
        The colon section of scikit-image, segmented.

    References
    ----------
    `skimage.data.immunohistochemistry` (FHL2 in colonic glands, Human Protein Atlas image by way of scikit-image);
    deconvolution after Ruifrok and Johnston 2001.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.colon_glands()
    >>> tissue.nuclei
    <LabelImage 512 x 512 int32, 1 x 1 pixel, channels hematoxylin, dab>
    """
    from skimage import data
    from skimage.color import rgb2hed

    rgb = data.immunohistochemistry()
    density = rgb2hed(rgb).astype(np.float32)
    hematoxylin, dab = density[..., 0], density[..., 2]
    image = np.stack([hematoxylin, dab])
    nuclei = LabelImage.build(
        segment_nuclei(hematoxylin), image, spacing=(1.0, 1.0), unit="pixel", channels=("hematoxylin", "dab")
    )
    return ColonTissue(nuclei, rgb, stained_regions(dab))
