"""Tissue to work on: generated with known truth, the colon image of scikit-image, and readers of local files."""

import lazy_loader as _lazy

from cellgraph_clr._core.hints import named as _named

_get, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "colon": ["ColonTissue", "colon_glands"],
        "events": ["event_movie", "reversible_movie"],
        "local": [
            "ascidian_embryos",
            "data_dir",
            "osmfish_cortex",
            "plant_meristem",
            "platynereis",
            "platynereis_candidates",
            "segmented_tissue",
        ],
        "ovules": ["celltype_graph", "celltype_graph_folds"],
        "screens": ["bbbc018"],
        "plates": ["phenotype_plate"],
        "shaped_cells": ["SHAPES", "TEXTURES", "shapes"],
        "synth": ["Noise", "Tissue", "movie", "tissue"],
    },
)
__getattr__ = _named("cgc.datasets", __all__, _get)
