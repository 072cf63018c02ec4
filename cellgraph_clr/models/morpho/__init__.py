"""Learned shape and texture of cells and nuclei (MorphoFeatures).

Paper
-----
Zinchenko, Hugger, Uhlmann, Arendt and Kreshuk 2023, eLife 12:e80918. Encoders that do not see pose, and InfoNCEp over patches or
neighbours, are ours.

Flow
----
1. `data.as_pictures`, `data.compartments`: labels, image and nuclei become cells and nuclei with their scans.
2. `groups.CodeGroup`: {cell, nucleus} x {shape, coarse, fine}, each learned and read by itself.
3. `data.surface_arrays`: points with normals on every surface; `data.cut_crops`: crops of whole cells, patches inside them.
4. `views.SurfaceViews`: another draw of points, scaled along random axes, bent as rigidly as possible (`deformation`).
5. `views.CropViews`: other patches, turned (what is rebuilt), then distorted (what is seen; `distortion`).
6. `points.PointEncoder` or `volumes.CropEncoder`: a code; a projection for the contrast, `volumes.CropDecoder` for the crop.
7. `task.CodeTask`: the two views of a cell are told from the other cells, crops are rebuilt.
8. `model.MorphoFeatures.transform`: codes, averaged over draws of points and over patches.

Equations
---------
    (1)  L = InfoNCEp(q(h'), q(h''); the same cell) + w mean |D(h) - crop|^2        `task.CodeTask`
    (2)  min over x', R of sum_ij |(x'_i - x'_j) - R_i (x_i - x_j)|^2 + w sum_h |x'_h - t_h|^2
                                                                                    `deformation.as_rigid_as_possible`
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "config": ["CropNetwork", "MorphoFeaturesConfig", "SurfaceNetwork"],
        "model": ["MorphoFeatures"],
    },
)
