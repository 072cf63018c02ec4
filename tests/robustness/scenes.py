"""What is made hostile: a few small images, tables and models that are good."""

from __future__ import annotations

from functools import cache, wraps

import numpy as np
import pandas as pd

SPACING = {2: (0.5, 0.25), 3: (2.0, 0.5, 0.25)}
QUICK = {"n_steps": 2, "progress": False}


@cache
def plain(d=2):
    """Return labels of some ten cells that touch, with background around: (14, 17) or (7, 9, 11), int64."""
    shape = (14, 17) if d == 2 else (7, 9, 11)
    rng = np.random.default_rng(7 + d)
    centres = rng.uniform(1, np.asarray(shape) - 1, (10, d))
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    far = np.linalg.norm(grid[..., None, :] - centres, axis=-1)
    out = far.argmin(-1) + 1
    out[far.min(-1) > 3.2] = 0
    out.setflags(write=False)
    return out


@cache
def light(d=2, n_channels=2):
    """Return intensities (c, …) of the image of `plain`, float64."""
    out = np.random.default_rng(3).gamma(2.0, 50.0, (n_channels, *plain(d).shape))
    out.setflags(write=False)
    return out


@cache
def _cells():
    import cellgraph_clr as cgc

    tissue = cgc.datasets.tissue(60, ndim=2, random_state=0)
    out = tissue.adata()[:, :12].copy()
    out.obs["kind"] = pd.Categorical(np.where(np.arange(out.n_obs) % 2, "a", "b"))
    out.obs["half"] = pd.Categorical(np.where(np.arange(out.n_obs) < out.n_obs // 2, "one", "other"))
    cgc.gr.contact_graph(out, key_added="touching")
    cgc.gr.knn_graph(out, n_neighbors=5)
    cgc.pp.scale_features(out)
    cgc.tl.embed(out, n_dims=6, n_hidden=8, **QUICK)
    return out


def cells():
    """Return an AnnData of some fifty cells, scaled, with graphs ("spatial", "touching"), an embedding, `kind` and `half`."""
    return _cells().copy()


@cache
def movie():
    """Return a short movie with labels and tracks."""
    from cellgraph_clr.datasets.events import event_movie

    return event_movie(8, 8, side=64, random_state=0)


@cache
def _frames():
    import cellgraph_clr as cgc

    return cgc.from_movie(movie(), features=("shape",), n_jobs=1)


def frames():
    """Return the cells of `movie`, with their events."""
    return _frames().copy()


@cache
def plate():
    """Return a small plate of images."""
    from cellgraph_clr.datasets.plates import phenotype_plate

    return phenotype_plate(3, 2, side=64, random_state=0)


@cache
def embedder():
    """Return a trained `CellGraphCLR`."""
    from cellgraph_clr.models import CellGraphCLR

    return CellGraphCLR(n_dims=6, n_hidden=8, **QUICK).fit(cells())


@cache
def classifier():
    """Return a trained `SoftInfoNCEClassifier`."""
    from cellgraph_clr.models import SoftInfoNCEClassifier

    adata = cells()
    return SoftInfoNCEClassifier(n_steps=3, progress=False).fit(
        np.asarray(adata.X), adata.obs["kind"].astype(str).to_numpy()
    )


@cache
def graph_classifier():
    """Return a trained `CellGraphClassifier`."""
    from cellgraph_clr.models import CellGraphClassifier

    return CellGraphClassifier(embedder(), n_steps=3, progress=False).fit(cells(), "kind")


@cache
def arrow():
    """Return a trained `TimeArrow`."""
    from cellgraph_clr.models import TimeArrow

    return TimeArrow(n_hidden=4, n_features=5, n_levels=1, crop_px=16, batch_size=4, **QUICK).fit(movie())


@cache
def spotter():
    """Return a trained `EventClassifier`."""
    from cellgraph_clr.models import EventClassifier

    return EventClassifier(arrow(), crop_px=8, calibrate=False, **QUICK).fit(movie())


@cache
def profiler():
    """Return a trained `DeepInfoMax`."""
    from cellgraph_clr.models import DeepInfoMax

    return DeepInfoMax(n_fields=2, n_features=6, n_hidden=4, window_px=32, batch_size=4, **QUICK).fit(plate())


@cache
def shapes_image():
    """Return a label image of eight cells."""
    from cellgraph_clr.datasets.shaped_cells import shapes

    return shapes(8, ndim=2, random_state=0).image


@cache
def shaper():
    """Return a trained `MorphoFeatures`."""
    from cellgraph_clr.models import MorphoFeatures

    config = {"n_points": 16, "n_features": 6, "n_hidden": 4, "batch_size": 4, "kinds": ("shape",)}
    return MorphoFeatures(**config, **QUICK).fit(shapes_image())


@cache
def _asked():
    import cellgraph_clr as cgc

    out = cells()
    cgc.tl.retrieve(out, [1, 2])
    return out


def asked():
    """Return `cells` after a query."""
    return _asked().copy()


def told_apart():
    """Return `cells` with a prediction "guess" of `half`."""
    out = cells()
    proba = np.random.default_rng(0).dirichlet((1.0, 1.0), out.n_obs)
    out.obsm["guess_proba"] = pd.DataFrame(proba, index=out.obs_names, columns=["one", "other"])
    out.obs["guess"] = pd.Categorical(np.where(proba[:, 0] > 0.5, "one", "other"))
    return out


@cache
def _related():
    import cellgraph_clr as cgc

    out = cells()
    cgc.tl.interactions(out, "kind", neighbors_key="touching")
    return out


def related():
    """Return `cells` with a table of interactions."""
    return _related().copy()


def errors():
    """Return a table of errors of events over time."""
    return pd.DataFrame({"events": [1, 2], "found": [1, 0], "false_alarms": [0, 1], "missed": [0, 2]})


@cache
def measured():
    """Return the cells of the image of `plain`."""
    import cellgraph_clr as cgc

    return cgc.from_labels(plain(2), spacing=0.5, features=("shape",), n_jobs=1)


@cache
def _windows():
    import cellgraph_clr as cgc

    return cgc.tl.profile(plate(), model=profiler())


def windows():
    """Return the windows of `plate`, with their profiles."""
    return _windows().copy()


def closed(draw):
    """Return a plot that closes its figures."""

    @wraps(draw)
    def call(*args, **kwargs):
        import matplotlib.pyplot as plt

        try:
            return draw(*args, **kwargs)
        finally:
            plt.close("all")

    return call


def warm(*, slow=False):
    """Compile and import what cases use, so that their children need not; what is slow to compile on request."""
    import cellgraph_clr as cgc

    for d in (2, 3):
        image = cgc.LabelImage.build(plain(d), light(d), spacing=SPACING[d])
        adata = cgc.from_labels(image, n_jobs=1)
        cgc.gr.contact_graph(adata)
        cgc.gr.contact_graph(adata, image, max_gap=1.0)
        cgc.gr.radius_graph(adata, radius=2.0)
        cgc.gr.delaunay_graph(adata)
        cgc.im.label_qc(image)
        cgc.im.extract_patches(image, crop_px=4)
        cgc.im.sample_surfaces(image, n_points=8)
    for made in (cells, embedder, classifier, graph_classifier, spotter, profiler, shaper):
        made()
    if slow:
        cgc.tl.cluster(cells())
