"""Losses as pure functions: scores (or logits) and masks (or targets) in, one loss per anchor out."""

from cellgraph_clr.losses.contrastive import composite_infonce, infonce, mil_nce, supcon_in, supcon_out
from cellgraph_clr.losses.information import mutual_information
from cellgraph_clr.losses.multi_positive import infonce_p, log_esp
from cellgraph_clr.losses.noncontrastive import decorrelation, vicreg
from cellgraph_clr.losses.soft_targets import soft_cross_entropy, soft_infonce

__all__ = [
    "composite_infonce",
    "decorrelation",
    "infonce",
    "infonce_p",
    "log_esp",
    "mil_nce",
    "mutual_information",
    "soft_cross_entropy",
    "soft_infonce",
    "supcon_in",
    "supcon_out",
    "vicreg",
]


def __dir__() -> list[str]:
    """Return what is public."""
    return __all__
