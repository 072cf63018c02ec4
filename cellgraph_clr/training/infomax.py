"""Deep InfoMax on plates: crops of several fields of several samples, local against global vectors of each sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from cellgraph_clr.encoders.fields import STRIDE
from cellgraph_clr.losses.information import gradient_penalty, mutual_information, prior_matching
from cellgraph_clr.training.figures import effective_rank
from cellgraph_clr.training.module import Schedule, StepModule, check_loss

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cellgraph_clr.encoders.fields import FieldEncoder

__all__ = ["InfoMaxModule", "coarse"]

LEAST = 0.1  # share of foreground pixels that makes a local vector count


def coarse(mask: np.ndarray) -> np.ndarray:
    """Return the share of foreground (…, y / 8, x / 8) of every local vector."""
    *rest, y, x = mask.shape
    rows = mask.reshape(*rest, y // STRIDE, STRIDE, x).sum(axis=-2, dtype=np.uint8)
    return np.asarray(rows.reshape(*rest, y // STRIDE, x // STRIDE, STRIDE).sum(axis=-1, dtype=np.uint8) / STRIDE**2)


class InfoMaxModule(StepModule):
    """``L = - I(local; global of the sample) + w prior matching``.

    Parameters
    ----------
    encoder, critic, prior : networks; `prior` tells global vectors (through a sigmoid) from uniform draws, None leaves it out.
    read : image (c, y, x) and foreground (y, x) of a line.
    samples : lines of every sample.
    estimator : of `mutual_information`.
    size : pixels of a crop.
    n_fields : of a sample in a step.
    gain : how much the brightness of every channel of a crop varies, as a share.
    blur : how far a crop is put out of focus at the most, in pixels (standard deviation).
    """

    def __init__(
        self,
        encoder: FieldEncoder,
        critic: nn.Module,
        prior: nn.Module | None,
        read: Callable[[int], tuple[np.ndarray, np.ndarray]],
        samples: Sequence[np.ndarray],
        schedule: Schedule,
        fingerprint: str,
        *,
        estimator: str,
        size: int,
        n_fields: int,
        gain: float,
        blur: float,
        weight: float,
        seed: int,
    ) -> None:
        super().__init__(schedule, fingerprint, schedule.batch_size)
        self.encoder, self.critic, self.prior = encoder, critic, prior
        self.read, self.samples, self.estimator = read, samples, estimator
        self.size, self.n_fields, self.weight, self.seed = size, n_fields, weight, seed
        self.gain, self.blur = gain, blur

    def training_step(self, batch: Any, index: int) -> Tensor:  # noqa: ARG002
        """Return the loss of step `global_step`."""
        rng = np.random.default_rng([self.seed, self.global_step])
        images, masks, sample = self._crops(rng)
        x = torch.from_numpy(images).to(self.device)
        share = torch.from_numpy(coarse(masks).astype(np.float32)).to(self.device)
        local = self.lowered(self.encoder)(x)
        counted = share >= LEAST
        whole = self.lowered(self.encoder.summary)(local, share * counted)
        scores = self.critic(local.flatten(2).transpose(1, 2).flatten(0, 1), whole)
        owner = torch.from_numpy(sample).to(self.device)
        positives = owner.repeat_interleave(share[0].numel())[:, None] == owner[None]
        information = mutual_information(scores, positives, estimator=self.estimator, keep=counted.flatten())
        check_loss(float(information.detach()))
        figures = {"loss": -float(information.detach()), "effective_rank": effective_rank(whole)}
        loss = -information
        if self.prior is not None and self.weight > 0:
            told, matched = self._prior_losses(torch.sigmoid(whole), rng)
            loss = loss + told + self.weight * matched
            figures["prior"] = float(matched.detach())
        self.record(figures)
        return loss

    def _prior_losses(self, codes: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return the loss of the discriminator, which does not reach the encoder, and that of the encoder, and the reverse."""
        assert self.prior is not None
        draws = torch.from_numpy(rng.random(tuple(codes.shape)).astype(np.float32)).to(codes.device).requires_grad_()
        still = codes.detach().requires_grad_()
        on_draws, on_codes = self.prior(draws), self.prior(still)
        penalty = gradient_penalty(on_draws, draws) + gradient_penalty(on_codes, still)
        told = prior_matching(on_draws, on_codes)[0] + 0.5 * penalty
        fixed: Mapping[str, Tensor] = {k: v.detach() for k, v in self.prior.named_parameters()}
        through = torch.func.functional_call(self.prior, dict(fixed), (codes,))
        return told, prior_matching(on_draws.detach(), through)[1]

    def _crops(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return crops (n, c, s, s), their foreground (n, s, s) and sample (n,): turned, mirrored, where foreground is."""
        n_samples = min(len(self.samples), max(2, self.schedule.batch_size // self.n_fields))
        chosen = rng.choice(len(self.samples), n_samples, replace=False)
        images, masks, owner = [], [], []
        for k in chosen:
            lines = self.samples[k]
            for i in rng.choice(lines, self.n_fields, replace=len(lines) < self.n_fields):
                image, mask = self.read(int(i))
                y, x = self._place(mask, rng)
                part = image[:, y : y + self.size, x : x + self.size]
                inside = mask[y : y + self.size, x : x + self.size]
                turn = int(rng.integers(4))
                part, inside = np.rot90(part, turn, (1, 2)), np.rot90(inside, turn)
                if rng.random() < 0.5:
                    part, inside = part[..., ::-1], inside[..., ::-1]
                images.append(self._seen(part, rng))
                masks.append(inside)
                owner.append(k)
        return np.ascontiguousarray(np.stack(images), np.float32), np.stack(masks), np.array(owner)

    def _seen(self, part: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return a crop (c, s, s) as another exposure and another focus might have shown it."""
        from scipy.ndimage import gaussian_filter

        if self.gain > 0:
            part = part * (1 + self.gain) ** rng.uniform(-1, 1, (len(part), 1, 1)).astype(np.float32)
        if self.blur > 0:
            spread = self.blur * rng.random()
            part = gaussian_filter(part, (0, spread, spread))
        return part

    def _place(self, mask: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
        """Return where a crop starts: the first of five draws with foreground, else the last."""
        high = [n - self.size + 1 for n in mask.shape]
        y = x = 0
        for _ in range(5):
            y, x = (int(rng.integers(h)) for h in high)
            if mask[y : y + self.size, x : x + self.size].mean() >= LEAST / 2:
                break
        return y, x
