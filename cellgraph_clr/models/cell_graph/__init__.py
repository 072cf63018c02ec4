"""Contrastive learning on spatial cell graphs with several positives per cell (InfoNCEp).

Paper
-----
Hugger, PhD thesis, Cambridge 2023: a generalisation of InfoNCE to several positives, for priors given as similarity relations
such as "neighbours are alike". Its formula is not public; (1) is our derivation under the noise-contrastive premise.

Flow
----
1. `data.joined`: the cell graphs of all samples become one; `scales.InputScales` standardises features and edges.
2. `data.positives_of`: "neighbors", "views", an `obs` or an `obsp` key become relations of cells.
3. `batches.AnchorBatches`: the anchors of a step, from all over the tissue, or in runs along a curve where the graph is large.
4. `pairs.draw_pairs`: positives of each anchor are drawn; known ones that were not are excluded from its noise.
5. `views.augmented`: two views, in which features are masked and jittered, edges and cells dropped.
6. `encoders.graph.GraphEncoder` and a projection: a vector for every anchor in one view and every candidate in the other.
7. `losses.InfoNCEp` or another (`task.ContrastTask`); or InfoMax against summaries (`infomax.GraphInfoMaxTask`).
8. `model.CellGraphCLR.transform`: the encoder alone, on the whole graph or exactly by tiles; beside it the cell's own inputs
   (`own.side_by_side`), which objectives that make neighbours alike would lose.

Equations
---------
For an anchor with critic values f_k of its N candidates, S the p positives among them, e_p the elementary symmetric polynomial:

    (1)  L = - sum_{i in S} f_i + log e_p(exp f_1, ..., exp f_N)            `losses.functional.infonce_p`
    (2)  f_k = cos(z, z_k) / T                                              `losses.modules`
    (3)  dL / df_k = pi_k - [k in S], pi_k the probability that k is drawn  `losses._esp_rows`
    (4)  gap = (sum log C(N, p) - sum L) / sum p, nats per pair             `task.cap_of_gap`
    (5)  L = - I(h_i; s_i), s_i the mean of a cell's relatives              `infomax.GraphInfoMaxTask`
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "config": ["Augment", "CellGraphCLRConfig", "Encoder", "Objective"],
        "model": ["CellGraphCLR"],
    },
)
