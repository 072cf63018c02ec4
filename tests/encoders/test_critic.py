"""Critic: a score for every local vector with every global one."""

import torch

from cellgraph_clr.encoders.critic import Critic


def test_scores_of_all_pairs():
    torch.manual_seed(0)
    critic, local, whole = Critic(6, 5), torch.randn(24, 6), torch.randn(2, 5)
    scores = critic(local, whole)
    assert scores.shape == (24, 2)
    torch.testing.assert_close(scores[3:4, 1:], critic(local[3:4], whole[1:]))
    assert torch.isfinite(critic(1e6 * local, whole)).all()  # normalised
