"""Classifiers of cells with calibrated confidence: heads on soft targets (SoftInfoNCE), fine-tuned graph encoders, and trees.

Paper
-----
Hugger and Uhlmann 2024, arXiv 2404.14076: noise-contrastive estimation in which the noise of a sample is the soft targets of the
others. Geurts et al. 2006 for the trees, Guo et al. 2017 for the temperature.

Flow
----
1. `data.class_codes`: labels become classes; `targets.starting_targets` smooths them, `targets.mix_up` mixes samples.
2. `task.HeadTask`: a head on standardised features; `task.GraphHeadTask`: a head behind a `CellGraphCLR` encoder, trained along.
3. `data.out_of_fold_temperature`: trained on some folds, the logits of the others tell how confident it may be.
4. `soft_infonce.SoftInfoNCEClassifier` (arrays, a scikit-learn estimator), `graph.CellGraphClassifier` (AnnData),
   `trees.CalibratedTrees` (arrays): `predict_proba` is calibrated in all three.
5. `choice.choose`: trees or a perceptron, and on which vectors, by the likelihood of cells left out (`tl.classify`).

Equations
---------
For logits z, soft targets w of M samples, class prior eta, temperature t:

    (1)  s_ij = sum_k w_jk (z_ik / t - log eta_k)          `losses.functional.soft_infonce`
    (2)  L_i  = - s_ii + log sum_j exp s_ij
    (3)  L_i  = - sum_k w_ik log softmax(z_i / t)_k        `losses.functional.soft_cross_entropy`
    (4)  L    = mean L + c mean |softmax(z') - softmax(z'')|^2, unlabelled cells in two views   `task.GraphHeadTask`
    (5)  p    = softmax(z / T), T least in cross-entropy out of fold                            `analysis.calibration`
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "config": ["CellGraphClassifierConfig", "SoftInfoNCEConfig"],
        "graph": ["CellGraphClassifier"],
        "soft_infonce": ["SoftInfoNCEClassifier"],
        "targets": ["neighbor_composition"],
        "trees": ["CalibratedTrees"],
    },
)
