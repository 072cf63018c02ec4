"""Spatial cell graphs from segmented images: learned embeddings, cell types, and "find me more like this", in AnnData."""

import os as _os

import lazy_loader as _lazy

from cellgraph_clr._core.hints import named as _named

# Threads that wait sleep, where OpenMP (of torch, scikit-learn) is not loaded yet: those that spin hold the cores up that other
# processes need, and on a busy machine cost tens of times what they spare.
if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"} & _os.environ.keys():
    _os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

__version__ = "0.1.0"

_get, __dir__, __all__ = _lazy.attach(
    __name__,
    submodules={"datasets", "gr", "im", "io", "losses", "metrics", "models", "pl", "pp", "tl"},
    submod_attrs={
        "_report.writing": ["report"],
        "_core.errors": ["CellGraphError"],
        "_core.settings": ["settings"],
        "cells.label_image": ["LabelImage"],
        "cells.movie": ["Movie"],
        "cells.plate": ["Plate"],
        "io": [
            "concat",
            "from_labels",
            "from_movie",
            "from_plate",
            "from_pyg",
            "from_spatialdata",
            "from_table",
            "read",
            "read_labels",
            "read_movie",
            "read_plate",
            "to_napari",
            "to_networkx",
            "to_pyg",
            "to_spatialdata",
            "to_vitessce",
            "validate",
            "write",
        ],
    },
)
__getattr__ = _named("cgc", __all__, _get)
