"""Heads of events: shapes, and that the order of frames counts."""

import pytest
import torch

from cellgraph_clr.models.time_arrow.event_head import HEADS, EventHead


@pytest.mark.parametrize("kind", HEADS)
def test_two_frames_give_logits_and_their_order_counts(kind):
    torch.manual_seed(0)
    head = EventHead(4, 3, 8, kind=kind).eval()
    x = torch.randn(5, 2, 4, 8, 8)
    assert head(x).shape == (5, 3)
    assert not torch.allclose(head(x), head(x.flip(1)))
