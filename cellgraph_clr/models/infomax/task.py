"""Deep InfoMax on plates: local vectors of the foreground against global vectors of each sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from cellgraph_clr.encoders.critic import Critic
from cellgraph_clr.losses.information import gradient_penalty, mutual_information, prior_matching
from cellgraph_clr.models.infomax.data import LEAST, coarse
from cellgraph_clr.models.infomax.network import new_encoder
from cellgraph_clr.training.figures import effective_rank
from cellgraph_clr.training.task import Schedule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellgraph_clr.models.infomax.config import DeepInfoMaxConfig
    from cellgraph_clr.models.infomax.data import SampleCrops
    from cellgraph_clr.training.task import Lowered

__all__ = ["InfoMaxTask", "prior_losses"]

PRIOR_WIDTH = 64


class _Batch(NamedTuple):
    """Crops (n, c, s, s), share (n, s / 8, s / 8) of foreground, sample (n,), and draws of the prior (n, n_features)."""

    images: Tensor
    share: Tensor
    sample: Tensor
    draws: Tensor


@dataclass(eq=False)
class InfoMaxTask:
    """``L = - I(local; global of the sample) + w prior matching``.

    Parameters
    ----------
    config : the options.
    crops : of several samples.
    n_channels : of the plate.
    seed : of everything drawn.
    """

    config: DeepInfoMaxConfig
    crops: SampleCrops
    n_channels: int
    seed: int

    @property
    def schedule(self) -> Schedule:
        """Steps and rates."""
        return Schedule(self.config.n_steps, self.config.learning_rate, self.config.weight_decay)

    def networks(self) -> dict[str, nn.Module]:
        """Return encoder, critic, and what tells global vectors (through a sigmoid) from uniform draws."""
        n = self.config.n_features
        networks = {"encoder": new_encoder(self.config, self.n_channels), "critic": Critic(n, n)}
        prior = nn.Sequential(nn.Linear(n, PRIOR_WIDTH), nn.ReLU(), nn.Linear(PRIOR_WIDTH, 1))
        return networks | ({"prior": prior} if self.config.prior_weight > 0 else {})

    def draw(self, step: int) -> _Batch:
        """Return crops with their foreground."""
        rng = np.random.default_rng([self.seed, step])
        images, masks, sample = self.crops.draw(rng)
        share = coarse(masks).astype(np.float32)
        draws = rng.random((len(images), self.config.n_features)).astype(np.float32)
        return _Batch(*(torch.from_numpy(a) for a in (images, share, sample, draws)))

    def loss(self, networks: Mapping[str, Lowered], batch: _Batch) -> tuple[Tensor, dict[str, Tensor | float]]:
        """Return the loss, and its parts.

        Local vectors outside of the foreground are in none of them, but for the global vector of a crop that has no foreground.
        """
        encoder = networks["encoder"]
        local = encoder(batch.images)
        counted = batch.share >= LEAST
        whole = encoder.summary(local, batch.share * counted)
        scores = networks["critic"].module(local.flatten(2).transpose(1, 2).flatten(0, 1), whole)
        positives = batch.sample.repeat_interleave(batch.share[0].numel())[:, None] == batch.sample[None]
        information = mutual_information(scores, positives, bound=self.config.bound, keep=counted.flatten())
        figures: dict[str, Tensor | float] = {"loss": -information, "effective_rank": effective_rank(whole)}
        loss = -information
        if "prior" in networks:
            told, matched = prior_losses(networks["prior"].module, torch.sigmoid(whole), batch.draws)
            loss = loss + told + self.config.prior_weight * matched
            figures["prior"] = matched
        return loss, figures


def prior_losses(prior: nn.Module, codes: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss of the discriminator, which does not reach the encoder, and that of the encoder, and the reverse.

    In float32: scores of the discriminator have their gradient penalised.
    """
    draws = draws.detach().requires_grad_()
    still = codes.detach().requires_grad_()
    on_draws, on_codes = prior(draws), prior(still)
    penalty = gradient_penalty(on_draws, draws) + gradient_penalty(on_codes, still)
    told = prior_matching(on_draws, on_codes)[0] + 0.5 * penalty
    fixed = {k: v.detach() for k, v in prior.named_parameters()}
    through = torch.func.functional_call(prior, fixed, (codes,))
    return told, prior_matching(on_draws.detach(), through)[1]
