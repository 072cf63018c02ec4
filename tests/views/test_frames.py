"""Pairs of frames: turned together, distorted one by one."""

import torch

from cellgraph_clr.views.frames import distort_pairs


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
