"""One room a system: configuration, data, task and model; its `__init__` tells the paper, the flow and the equations."""

import lazy_loader as _lazy

from cellgraph_clr._core.hints import named as _named

_get, __dir__, __all__ = _lazy.attach(
    __name__,
    submodules=["cell_graph", "classifiers", "infomax", "morpho", "time_arrow"],
    submod_attrs={
        "cell_graph": ["CellGraphCLR", "CellGraphCLRConfig"],
        "classifiers": [
            "CalibratedTrees",
            "CellGraphClassifier",
            "CellGraphClassifierConfig",
            "SoftInfoNCEClassifier",
        ],
        "infomax": ["DeepInfoMax", "DeepInfoMaxConfig"],
        "morpho": ["MorphoFeatures", "MorphoFeaturesConfig"],
        "time_arrow": ["EventClassifier", "EventClassifierConfig", "TimeArrow", "TimeArrowConfig"],
    },
)
__getattr__ = _named("cgc.models", __all__, _get)
