"""Plots: graph on image, retrieval in place, galleries of cells, reliability, training curves.

Each takes `save=` and returns the axes; those of one panel take `ax=`.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "tissue": ["graph", "retrieval", "spatial"],
        "events": ["arrow_attribution", "event_errors"],
        "gallery": ["cell_gallery", "feature_range"],
        "windows": ["window_gallery"],
        "curves": ["loss_weights", "reliability", "training"],
    },
)
