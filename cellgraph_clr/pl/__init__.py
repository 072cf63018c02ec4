"""Plots: cells, graphs and retrievals in place, galleries, quality of labels and predictions, training.

All make pyplot figures, return their axes and take `show=`, `save=`, `figsize=` and `title=`; those of one panel take `ax=`.
"""

import lazy_loader as _lazy

from cellgraph_clr._core.hints import named as _named

_get, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "tissue": ["graph", "spatial"],
        "found": ["retrieval"],
        "events": ["arrow_attribution", "event_errors"],
        "gallery": ["cell_gallery", "feature_range"],
        "windows": ["window_gallery"],
        "quality": ["composition", "confusion", "label_qc"],
        "relations": ["interactions"],
        "curves": ["loss_weights", "reliability", "training"],
    },
)
__getattr__ = _named("cgc.pl", __all__, _get)
