"""Pairs of frames as training sees them: turned together, each with its own gain, offset and noise."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["distort_pairs"]


def distort_pairs(pairs: Tensor, strength: float, generator: torch.Generator, *, zoom: float = 0.0) -> Tensor:
    """Return pairs (b, s, c, [z,] y, x) turned and mirrored in the plane (all frames of a pair alike), and distorted.

    Every frame gets a gain up to 1 ± 0.3 `strength`, an offset up to 0.1 `strength` and Gaussian noise of a spread up to
    0.1 `strength`, in units of the normalised image, of its own: neither brightness nor noise tells the order. With `zoom` every
    frame is enlarged or shrunk in the plane about its centre, up to 1 + `zoom` times: size does not tell it either. With both 0
    pairs are turned alone.
    """
    b, s = pairs.shape[:2]
    turns = torch.randint(8, (b,), generator=generator).tolist()
    turned = []
    for pair, turn in zip(pairs, turns, strict=True):
        out = torch.rot90(pair, turn % 4, dims=(-2, -1))
        turned.append(out.flip(-1) if turn >= 4 else out)
    x = torch.stack(turned)
    if zoom > 0:
        factor = (1 + zoom) ** (2 * torch.rand(b * s, generator=generator) - 1)
        x = _resized(x.flatten(0, 1), factor).unflatten(0, (b, s))
    if strength > 0:
        shape = (b, s, *(1,) * (x.dim() - 2))

        def drawn(high: float) -> Tensor:
            return (2 * torch.rand(shape, generator=generator) - 1) * high * strength

        noise = drawn(0.1).abs() * torch.randn(x.shape, generator=generator)
        x = x * (1 + drawn(0.3)) + drawn(0.1) + noise
    return x


def _resized(frames: Tensor, factor: Tensor) -> Tensor:
    """Return frames (n, c, [z,] y, x) enlarged about their centres by factors (n,); what comes in at the edge is mirrored."""
    planes = frames.reshape(len(frames), -1, *frames.shape[-2:])
    turn = torch.eye(2, 3) / factor[:, None, None]
    grid = nn.functional.affine_grid(turn, list(planes.shape), align_corners=False)
    out = nn.functional.grid_sample(planes, grid, padding_mode="reflection", align_corners=False)
    return out.reshape(frames.shape)
