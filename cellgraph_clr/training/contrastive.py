"""The contrastive loop: two views of the graph, pairs of a batch, one objective, AdamW."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import NonFiniteError
from cellgraph_clr.encoders.graph import sparse_tensor
from cellgraph_clr.graphs.tiles import halo
from cellgraph_clr.objectives.modules import InfoNCEp
from cellgraph_clr.training.batches import anchor_batches
from cellgraph_clr.views.augment import drop_edges, jitter_features, mask_features
from cellgraph_clr.views.positives import Relation, draw_pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from scipy.sparse import csr_matrix

    from cellgraph_clr.graphs.graph import CellGraph
    from cellgraph_clr.views.pairs import Pairs

__all__ = ["PairSource", "Schedule", "Strength", "contrastive_gap", "train_contrastive"]

FULL_GRAPH_CELLS = 20_000  # up to here a step runs on the whole graph; above, on tiles with their halo


@dataclass(frozen=True, slots=True)
class Strength:
    """How strongly a view differs from the data: share of features masked, noise in standard deviations, edges dropped."""

    mask: float
    jitter: float
    drop_edges: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """Steps, anchors a step, peak learning rate (one-cycle), weight decay."""

    n_steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float


@dataclass(frozen=True, slots=True)
class PairSource:
    """Where positives come from: a relation, how many of it, and whether the own second view is one."""

    relation: Relation | None
    n_related: int
    with_self: bool


def contrastive_gap(mean_loss: float, pairs: Pairs) -> tuple[float, float]:
    """Return ``(sum log C(N, p) - sum L) / sum p`` over the anchors of a batch and its cap (L = 0), in nats per pair.

    N candidates are left to an anchor after exclusions. A diagnostic, not a bound on mutual information: graph
    neighbours are not conditionally independent. Both are 0 without positives. `mean_loss` is that of InfoNCEp.
    """
    from scipy.special import gammaln

    p = pairs.positives.sum(axis=1)
    n = (~pairs.exclude).sum(axis=1)
    if not p.any():
        return 0.0, 0.0
    cap = (gammaln(n + 1) - gammaln(p + 1) - gammaln(n - p + 1)).sum()
    return float((cap - mean_loss * len(p)) / p.sum()), float(cap / p.sum())


def train_contrastive(
    encoder: nn.Module,
    projection: nn.Module,
    loss: nn.Module,
    graph: CellGraph,
    x: Tensor,
    *,
    source: PairSource,
    strength: Strength,
    schedule: Schedule,
    n_layers: int,
    generator: torch.Generator,
    rng: np.random.Generator,
    on_step: Callable[[dict[str, float]], None],
    progress: bool | None = None,
) -> None:
    """Train encoder and projection in place; `on_step` receives the figures of every step.

    Raises `NonFiniteError` when the loss stops being finite.

    Parameters
    ----------
    encoder, projection, loss : modules; the loss maps (anchor, candidates, positives, exclude) to a scalar.
    graph : the cells and edges of all samples.
    x : (n, f) standardised features on the device of the modules.
    progress : show a bar; None shows it on a terminal or in a notebook only.

    Notes
    -----
    Losses are divided by the mean number of positives, so that learning rates keep their meaning when p changes. The
    relation must be for the rows of `graph`. Memory is that of the whole graph up to FULL_GRAPH_CELLS cells, of a
    batch with its halo above.
    """
    parameters = [*encoder.parameters(), *projection.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    warm = torch.optim.lr_scheduler.OneCycleLR(optimizer, schedule.learning_rate, total_steps=schedule.n_steps + 1)
    adjacency = graph.adjacency()
    tiled = len(graph.cells) > FULL_GRAPH_CELLS
    batches = anchor_batches(
        graph.cells, batch_size=schedule.batch_size, n_steps=schedule.n_steps, tiled=tiled, rng=rng
    )

    def view(values: Tensor, edges: csr_matrix) -> Tensor:
        values = mask_features(values, strength.mask, generator)
        values = jitter_features(values, strength.jitter, generator)
        dropped = sparse_tensor(drop_edges(edges, strength.drop_edges, rng), values.device)
        return projection(encoder(values, dropped))

    encoder.train()
    projection.train()
    bar = tqdm(batches, total=schedule.n_steps, disable=None if progress is None else not progress, desc="train")
    for anchors in bar:
        pairs = draw_pairs(
            anchors, relation=source.relation, n_related=source.n_related, with_self=source.with_self, rng=rng
        )
        if tiled:
            part = halo(adjacency, pairs.candidates, n_layers)
            values, edges = x[torch.from_numpy(part.rows).to(x.device)], part.adjacency
            candidates, own = part.core, np.searchsorted(part.rows, anchors)
        else:
            values, edges, candidates, own = x, adjacency, pairs.candidates, anchors
        first = view(values, edges)[torch.from_numpy(own).to(x.device)]
        second = view(values, edges)[torch.from_numpy(candidates).to(x.device)]
        mean_p = float(pairs.positives.sum(axis=1).mean())
        value = loss(
            first,
            second,
            torch.from_numpy(pairs.positives).to(x.device),
            torch.from_numpy(pairs.exclude).to(x.device),
        )
        optimizer.zero_grad(set_to_none=True)
        (value / max(mean_p, 1.0)).backward()
        optimizer.step()
        warm.step()
        figures = {"loss": float(value.detach()), "positives_per_anchor": mean_p}
        if not math.isfinite(figures["loss"]):
            raise NonFiniteError(
                expected("a finite loss", figures["loss"], "Lower the learning rate or raise the temperature.")
            )
        if isinstance(loss, InfoNCEp):
            figures["contrastive_gap"], figures["contrastive_gap_cap"] = contrastive_gap(figures["loss"], pairs)
        on_step(figures)
        bar.set_postfix(loss=f"{figures['loss']:.3f}")
    encoder.eval()
