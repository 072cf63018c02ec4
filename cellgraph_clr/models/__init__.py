"""One file per system: a frozen configuration with fit, transform, save and load."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "cellgraph_clr": ["CellGraphCLR", "CellGraphCLRConfig"],
        "deep_infomax": ["DeepInfoMax", "DeepInfoMaxConfig"],
        "event_classifier": ["EventClassifier"],
        "graph_classifier": ["CellGraphClassifier"],
        "morpho_features": ["MorphoFeatures", "MorphoFeaturesConfig"],
        "soft_infonce": ["SoftInfoNCEClassifier"],
        "time_arrow": ["TimeArrow", "TimeArrowConfig"],
        "trees": ["CalibratedTrees"],
    },
)
