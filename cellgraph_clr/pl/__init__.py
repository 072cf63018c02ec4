"""Plots: graph on image, retrieval in place, reliability, training curves. Each takes `ax=`, `save=` and returns the axes."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "tissue": ["graph", "retrieval", "spatial"],
        "curves": ["loss_weights", "reliability", "training"],
    },
)
