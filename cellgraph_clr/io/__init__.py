"""Files and other libraries in and out: label images, tables, AnnData, PyG, networkx."""

import lazy_loader as _lazy

from cellgraph_clr._core.hints import named as _named

_get, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "labels": ["read_labels"],
        "cells": ["from_labels"],
        "tables": ["from_table"],
        "bridges": ["from_pyg", "to_networkx", "to_pyg"],
        "samples": ["concat"],
        "validation": ["validate"],
        "movies": ["from_movie", "read_movie"],
        "tracks": ["read_tracks"],
        "plates": ["from_plate", "read_plate"],
        "mobie": ["read_mobie_table", "write_mobie_table"],
        "viewers": ["from_spatialdata", "to_napari", "to_spatialdata"],
        "vitessce": ["to_vitessce"],
        "anndata_files": ["read", "write"],
    },
)
__getattr__ = _named("cgc.io", __all__, _get)
