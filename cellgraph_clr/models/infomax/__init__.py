"""Deep InfoMax on screening images: what a field looks like locally tells of which sample it is.

Paper
-----
Hjelm et al. 2019, ICLR (Deep InfoMax); the form for samples of several fields with a foreground follows a report on BBBC018.
InfoMax on cell graphs, which shares the critic and the loss, is an objective of `CellGraphCLR`: `models.cell_graph.infomax`.

Flow
----
1. `data.FieldReader`: fields of a plate, scaled, with their foreground.
2. `data.SampleCrops`: a step sees crops of several fields of several samples, of other brightness and focus.
3. `network.FieldEncoder`: a local vector for 8 x 8 pixels; a global one from those of the foreground.
4. `encoders.critic.Critic`: scores of local with global vectors.
5. `task.InfoMaxTask`: information of foreground and sample; global vectors look like draws of a prior.
6. `model.DeepInfoMax`: profiles of windows, fields and cells; `analysis.phenotypes.sphering` evens out samples.

Equations
---------
For scores u of local with global vectors, positive where both are of one sample, over the foreground alone, sp = softplus:

    (1)  I = E_pos[log 2 - sp(-u)] - E_neg[sp(u) - log 2] ("jsd"; "dv", "nce")    `losses.functional.mutual_information`
    (2)  D: E[sp(-D(draw))] + E[sp(D(code))] + .5 (GP + GP); encoder: E[sp(-D(code))]   `task.prior_losses`
    (3)  L = - I + w prior                                                        `task.InfoMaxTask`
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "config": ["DeepInfoMaxConfig", "LocalGlobal"],
        "model": ["DeepInfoMax"],
    },
)
