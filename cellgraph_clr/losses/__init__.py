"""Losses as torch modules (`InfoNCEp`, `SoftInfoNCE`, …) and, in `functional`, as functions of scores."""

from cellgraph_clr.losses import functional
from cellgraph_clr.losses.modules import MILNCE, CompositeInfoNCE, InfoNCE, InfoNCEp, NTXent, SupCon, SupConIn
from cellgraph_clr.losses.noncontrastive import VICReg
from cellgraph_clr.losses.soft_targets import SoftInfoNCE

__all__ = [
    "MILNCE",
    "CompositeInfoNCE",
    "InfoNCE",
    "InfoNCEp",
    "NTXent",
    "SoftInfoNCE",
    "SupCon",
    "SupConIn",
    "VICReg",
    "functional",
]


def __dir__() -> list[str]:
    """Return what is public."""
    return __all__
