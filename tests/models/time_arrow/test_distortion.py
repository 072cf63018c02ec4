"""Pairs of frames: turned together, distorted one by one."""

import torch

from cellgraph_clr.models.time_arrow.distortion import distort_pairs


def test_both_frames_are_turned_alike():
    frame = torch.arange(36.0).reshape(1, 6, 6)
    pairs = torch.stack([torch.stack([frame, frame])] * 40)
    out = distort_pairs(pairs, 0.0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(out[:, 0], out[:, 1])
    assert len({tuple(p.flatten().tolist()) for p in out[:, 0]}) == 8


def test_gain_and_noise_are_of_every_frame_alone():
    pairs = torch.ones(400, 2, 1, 8, 8)
    out = distort_pairs(pairs, 1.0, torch.Generator().manual_seed(0)).mean(dim=(2, 3, 4))
    assert abs(float(torch.corrcoef(out.T)[0, 1])) < 0.15
    assert float(out.std()) > 0.1
    assert float((out[:, 0] > out[:, 1]).float().mean()) - 0.5 < 0.1


def test_zoom_enlarges_every_frame_by_itself_about_its_centre():
    y, x = torch.meshgrid(torch.arange(33.0), torch.arange(33.0), indexing="ij")
    disc = ((y - 16) ** 2 + (x - 16) ** 2 < 64).float()
    pairs = disc.expand(200, 2, 1, 33, 33).contiguous()
    out = distort_pairs(pairs, 0.0, torch.Generator().manual_seed(0), zoom=0.5)
    area = out.sum(dim=(2, 3, 4)) / disc.sum()
    assert 0.4 < float(area.min()) < 0.55  # 1 / 1.5 in both directions
    assert 1.9 < float(area.max()) < 2.3
    assert abs(float(torch.corrcoef(area.T)[0, 1])) < 0.2
    centre = (out * y).sum(dim=(2, 3, 4)) / out.sum(dim=(2, 3, 4))
    torch.testing.assert_close(centre, torch.full_like(centre, 16.0), atol=0.1, rtol=0)
    deep = torch.stack([pairs, pairs], dim=3)  # (b, s, c, z, y, x): every plane alike
    out = distort_pairs(deep, 0.0, torch.Generator().manual_seed(0), zoom=0.5)
    assert out.shape == deep.shape
    torch.testing.assert_close(out[:, :, :, 0], out[:, :, :, 1])
