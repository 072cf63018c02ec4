"""From the name of an objective to the module that trains it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from cellgraph_clr.models.clr_config import CellGraphCLRConfig
    from cellgraph_clr.training.module import Schedule, StepModule
    from cellgraph_clr.training.steps import Material

__all__ = ["training_module"]


def training_module(
    config: CellGraphCLRConfig, encoder: nn.Module, material: Material, schedule: Schedule, fingerprint: str
) -> StepModule:
    """Return the module that trains `encoder`; its head (projection or critic) draws its weights from torch's generator."""
    from cellgraph_clr import losses
    from cellgraph_clr.encoders.critic import Critic
    from cellgraph_clr.encoders.graph import ProjectionHead
    from cellgraph_clr.training.graph_infomax import GraphInfoMaxModule
    from cellgraph_clr.training.module import ContrastiveModule

    c = config
    if c.objective == "infomax":
        critic = Critic(c.n_dims, c.n_dims)
        return GraphInfoMaxModule(encoder, critic, material, schedule, fingerprint, estimator=c.estimator or "jsd")
    by_name = {
        "infonce_p": losses.InfoNCEp,
        "infonce": losses.InfoNCE,
        "nt_xent": losses.NTXent,
        "composite_infonce": losses.CompositeInfoNCE,
        "supcon": losses.SupCon,
        "supcon_in": losses.SupConIn,
        "mil_nce": losses.MILNCE,
    }
    loss = losses.VICReg() if c.objective == "vicreg" else by_name[c.objective](c.temperature)
    projection = ProjectionHead(c.n_dims, c.n_dims)
    return ContrastiveModule(encoder, projection, loss, material, schedule, fingerprint)
