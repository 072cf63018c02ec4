"""The networks of a group of features: an encoder of surfaces or crops, a projection, and perhaps a decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellgraph_clr.encoders.heads import ProjectionHead
from cellgraph_clr.models.morpho.points import PointEncoder
from cellgraph_clr.models.morpho.volumes import CropDecoder, CropEncoder
from cellgraph_clr.training.objects import built

if TYPE_CHECKING:
    from torch import nn

    from cellgraph_clr.models.morpho.config import MorphoFeaturesConfig

__all__ = ["new_networks"]


def new_networks(config: MorphoFeaturesConfig, kind: str, ndim: int, n_channels: int) -> dict[str, nn.Module]:
    """Return projection, encoder and, for crops that are rebuilt, decoder of a kind of feature."""
    c = config
    networks: dict[str, nn.Module] = {"projection": ProjectionHead(c.n_features, c.n_features)}
    if kind == "shape":
        own = c.shape_encoder
        shape = PointEncoder(c.n_features, n_hidden=2 * c.n_hidden) if isinstance(own, str) else None
        return networks | {"encoder": shape or built(own, c.n_features, option="shape_encoder")}
    if isinstance(c.texture_encoder, str):
        networks["encoder"] = CropEncoder(n_channels + 1, c.n_features, ndim=ndim, n_hidden=c.n_hidden)
    else:
        networks["encoder"] = built(c.texture_encoder, n_channels + 1, c.n_features, ndim, option="texture_encoder")
    if c.reconstruction > 0:
        size = c.fine_size if kind == "fine" else c.coarse_size
        networks["decoder"] = CropDecoder(n_channels, (size,) * ndim, c.n_features, n_hidden=c.n_hidden)
    return networks
