"""Views of surfaces: another draw of points, anisotropic scaling, as-rigid-as-possible deformation."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["as_rigid_as_possible", "centred", "deform", "random_rotation", "scale_along_axes"]

HANDLE_WEIGHT = 10.0  # of a handle's place against one edge
REST_WEIGHT = 1e-3  # of the old place of every other point


def centred(points: Tensor) -> Tensor:
    """Return clouds (b, p, d) with their mean at 0 and a root mean square distance of 1 from it."""
    moved = points - points.mean(dim=1, keepdim=True)
    size = moved.square().sum(dim=2, keepdim=True).mean(dim=1, keepdim=True).sqrt()
    return moved / size.clamp(min=1e-9)


def random_rotation(n: int, d: int, generator: torch.Generator) -> Tensor:
    """Return rotations (n, d, d), uniform (QR of Gaussian matrices: Mezzadri 2007), half of them with a mirror."""
    q, r = torch.linalg.qr(torch.randn(n, d, d, generator=generator))
    return q * torch.sign(torch.diagonal(r, dim1=1, dim2=2)).unsqueeze(1)


def scale_along_axes(
    points: Tensor, normals: Tensor, strength: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return clouds scaled by factors in 1 ± `strength` along three random axes each, and their normals (unit)."""
    b, _, d = points.shape
    axes = random_rotation(b, d, generator)
    factor = 1 + strength * (2 * torch.rand(b, 1, d, generator=generator) - 1)
    turned = (points @ axes) * factor
    slanted = (normals @ axes) / factor
    back = axes.transpose(1, 2)
    return turned @ back, torch.nn.functional.normalize(slanted @ back, dim=2)


def _best_rotations(covariance: Tensor) -> Tensor:
    """Return the rotation (…, d, d) nearest to each covariance of edges (Kabsch)."""
    u, _, v = torch.linalg.svd(covariance)
    sign = torch.ones_like(covariance[..., 0])
    sign[..., -1] = torch.sign(torch.linalg.det(u) * torch.linalg.det(v))
    return (v.transpose(-1, -2) * sign.unsqueeze(-2)) @ u.transpose(-1, -2)


def as_rigid_as_possible(
    points: Tensor, near: Tensor, handles: Tensor, targets: Tensor, *, n_iterations: int = 3
) -> tuple[Tensor, Tensor]:
    """Return clouds (b, p, d) deformed so that handles come to their targets and edges keep their length, and the rotations.

    ``min sum_ij |(x'_i - x'_j) - R_i (x_i - x_j)|^2 + w sum_handles |x'_h - t_h|^2`` over the graph of neighbours, by turns for
    the rotations R (nearest to the covariance of a point's edges) and the places x' (one linear system a cloud). A weak pull to
    the old place holds parts of a cloud that no edge joins to a handle.

    Parameters
    ----------
    points : (b, p, d).
    near : (b, p, k) int64 neighbours; edges are taken in both directions.
    handles : (b, h) int64 points that are held.
    targets : (b, h, d) where to.

    Returns
    -------
    points (b, p, d), rotations (b, p, d, d): a normal n of point i becomes R_i n.

    Notes
    -----
    O(b p^3) once for the Cholesky factor, O(b p^2 d) a turn. Source: Sorkine and Alexa 2007, uniform weights, soft handles.
    """
    b, p, d = points.shape
    weight = torch.zeros(b, p, p, dtype=points.dtype)
    weight.scatter_(2, near, 1.0)
    weight = torch.maximum(weight, weight.transpose(1, 2))
    held = torch.full((b, p), REST_WEIGHT, dtype=points.dtype).scatter_(1, handles, HANDLE_WEIGHT)
    wanted = REST_WEIGHT * points
    wanted = wanted.scatter(1, handles.unsqueeze(2).expand(-1, -1, d), HANDLE_WEIGHT * targets)
    degree = weight.sum(dim=2, keepdim=True)
    laplacian = torch.diag_embed(degree.squeeze(2) + held / 2) - weight
    factor = torch.linalg.cholesky(2 * laplacian)
    moved = points
    rotations = torch.eye(d, dtype=points.dtype).expand(b, p, d, d)
    for _ in range(n_iterations):
        # covariance_i = sum_j w_ij (x_i - x_j)(x'_i - x'_j)^T, spelt out so that no (p, p, d, d) tensor is held
        mean_old, mean_new = weight @ points, weight @ moved
        own = points.unsqueeze(3) * moved.unsqueeze(2)
        cross = (weight @ own.reshape(b, p, d * d)).reshape(b, p, d, d)
        covariance = (
            degree.unsqueeze(3) * own
            - points.unsqueeze(3) * mean_new.unsqueeze(2)
            - mean_old.unsqueeze(3) * moved.unsqueeze(2)
            + cross
        )
        rotations = _best_rotations(covariance)
        # right side_i = sum_j w_ij (R_i + R_j)(x_i - x_j)
        turned = (rotations @ points.unsqueeze(3)).squeeze(3)
        around = (weight @ rotations.reshape(b, p, d * d)).reshape(b, p, d, d)
        side = (
            degree * turned
            - (rotations @ mean_old.unsqueeze(3)).squeeze(3)
            + (around @ points.unsqueeze(3)).squeeze(3)
            - weight @ turned
        )
        moved = torch.cholesky_solve(side + wanted, factor)
    return moved, rotations


def deform(
    points: Tensor,
    normals: Tensor,
    near: Tensor,
    generator: torch.Generator,
    *,
    n_handles: int = 4,
    strength: float = 0.15,
) -> tuple[Tensor, Tensor]:
    """Return clouds bent by `n_handles` random points, each pulled by up to `strength` cell diameters, and their normals.

    The diameter is twice the root mean square distance from the centre. All but the pulled points follow as rigidly as they can.
    """
    b, p, d = points.shape
    diameter = 2 * points.sub(points.mean(dim=1, keepdim=True)).square().sum(2).mean(1).sqrt()
    handles = torch.rand(b, p, generator=generator).topk(n_handles, dim=1).indices
    pull = torch.nn.functional.normalize(torch.randn(b, n_handles, d, generator=generator), dim=2)
    length = strength * diameter.view(b, 1, 1) * torch.rand(b, n_handles, 1, generator=generator)
    start = points.gather(1, handles.unsqueeze(2).expand(-1, -1, d))
    moved, rotations = as_rigid_as_possible(points, near, handles, start + pull * length)
    return moved, torch.nn.functional.normalize((rotations @ normals.unsqueeze(3)).squeeze(3), dim=2)
