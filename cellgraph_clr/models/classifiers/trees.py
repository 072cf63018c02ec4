"""`CalibratedTrees`: extremely randomised trees with calibrated confidence, for few labelled cells with many features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from cellgraph_clr._core.checks import check_in_range, check_option, check_whole
from cellgraph_clr._core.parallel import n_workers
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr._core.whole import whole_or_none
from cellgraph_clr.models.classifiers.data import (
    calibration_folds,
    class_codes,
    features_and_labels,
    features_like,
    out_of_fold_temperature,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.ensemble import ExtraTreesClassifier

__all__ = ["CalibratedTrees"]

CALIBRATION_FOLDS = 5
FOLD_TREES = 200  # at most, of a fold: their temperature is within about 3 % of that of 500
FEW_CELLS = 200  # whose trees grow faster in one thread than threads take turns
NEVER = -1e4  # the logit of a class without a cell


class CalibratedTrees(ClassifierMixin, BaseEstimator):
    """Extremely randomised trees (scikit-learn's) whose votes are brought to honest probabilities; a scikit-learn estimator.

    Trees ask one feature at a time and need no scale, so that a few informative features among hundreds are found from a few
    hundred cells, where networks overfit. Their averaged votes are too timid: one temperature, fitted on out-of-fold votes,
    sharpens them.

    Parameters
    ----------
    n_trees : int, default 500
        How many trees are grown.
    max_features : float, default 0.4
        Share of the features tried at each split.
    calibrate : bool, default True
        Fit the temperature (5 folds of up to 200 trees, fewer folds for small classes; three times the cost).
    n_jobs : int or None, default -1
        Threads; None and -1 take one per core.
    random_state : int, numpy.random.Generator or None, default 0
        Seed.

    Attributes
    ----------
    classes_
        Sorted class labels.
    calibration_temperature_
        Divides the log votes; 1 without calibration.
    n_features_in_
        Width of X.

    Notes
    -----
    O(n_trees n log(n) f) to fit n cells with f features; O(n_trees log n) a cell to predict. A class without a vote counts as
    half a vote. ``fit`` raises `NonFiniteError`, `ShapeError` or `CellGraphError` (all ValueError, as scikit-learn asks) for NaN,
    other widths or continuous targets, `ArgumentKindError` for what are no numbers, `LabelKeyError` for a single class, and
    `OptionError` for options outside their range. The cells learned from are recalled with a confidence near 1: judge by
    others. Leaves are pure, so that weights of classes would change nothing: shift the prior of the probabilities instead
    (`prior` of `tl.classify`).

    References
    ----------
    Geurts, Ernst and Wehenkel 2006 (the trees); Guo et al. 2017 (the temperature).

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> rng = np.random.default_rng(0)
    >>> y = np.array(["a", "b"])[np.arange(60) % 2]
    >>> X = rng.normal(size=(60, 3)) + 4 * (y == "a")[:, None]
    >>> model = cgc.models.CalibratedTrees(n_trees=50).fit(X, y)
    >>> float((model.predict(X) == y).mean())
    1.0
    """

    def __init__(
        self,
        *,
        n_trees: int = 500,
        max_features: float = 0.4,
        calibrate: bool = True,
        n_jobs: int | None = -1,
        random_state: RandomState = 0,
    ) -> None:
        self.n_trees = n_trees
        self.max_features = max_features
        self.calibrate = calibrate
        self.n_jobs = n_jobs
        self.random_state = random_state

    @whole_or_none
    def fit(self, X: np.ndarray, y: np.ndarray) -> CalibratedTrees:  # noqa: N803 - scikit-learn's name
        """Grow the trees on X (n, f) and labels y (n,), and return self.

        Parameters
        ----------
        X : numpy.ndarray
            (n, d) features.
        y : numpy.ndarray
            (n,) classes.

        Returns
        -------
        CalibratedTrees
            The fitted model.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> X, y = np.arange(12.0)[:, None], np.array(["small"] * 6 + ["large"] * 6)
        >>> model = cgc.models.CalibratedTrees(n_trees=20, calibrate=False).fit(X, y)
        >>> model.classes_.tolist()
        ['large', 'small']
        """
        check_whole("n_trees", self.n_trees)
        check_option("calibrate", self.calibrate, (True, False))
        check_in_range("max_features", self.max_features, low=0, high=1, low_open=True)
        X, y = features_and_labels(self, X, y)  # noqa: N806
        self.classes_, codes = class_codes(y)

        folds = calibration_folds(codes, CALIBRATION_FOLDS) if self.calibrate else []
        few = min(self.n_trees, FOLD_TREES)
        logits = (self._logits(self._grown(X[train], y[train], few), X[test]) for train, test in folds)
        self.calibration_temperature_ = out_of_fold_temperature(codes, folds, logits)
        self._trees = self._grown(X, y)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
        """Return calibrated probabilities (n, k) float64, columns in the order of `classes_`.

        Parameters
        ----------
        X : numpy.ndarray
            (n, d) features.

        Returns
        -------
        numpy.ndarray
            Calibrated probabilities (n, k) float64, columns in the order of `classes_`.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> X, y = np.arange(12.0)[:, None], np.array(["small"] * 6 + ["large"] * 6)
        >>> model = cgc.models.CalibratedTrees(n_trees=20, calibrate=False).fit(X, y)
        >>> proba = model.predict_proba([[0.0], [11.0]])
        >>> proba.shape, bool(np.allclose(proba.sum(axis=1), 1))
        ((2, 2), True)
        """
        from scipy.special import softmax

        check_is_fitted(self)
        X = features_like(self, X)  # noqa: N806
        return softmax(self._logits(self._trees, X) / self.calibration_temperature_, axis=1)

    def predict(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
        """Return the most probable class (n,).

        Parameters
        ----------
        X : numpy.ndarray
            (n, d) features.

        Returns
        -------
        numpy.ndarray
            The most probable class (n,).

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> X, y = np.arange(12.0)[:, None], np.array(["small"] * 6 + ["large"] * 6)
        >>> model = cgc.models.CalibratedTrees(n_trees=20, calibrate=False).fit(X, y)
        >>> model.predict([[0.0], [11.0]]).tolist()
        ['small', 'large']
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def out_of_fold(
        self,
        X: np.ndarray,  # noqa: N803
        y: np.ndarray,
        parts: Sequence[tuple[np.ndarray, np.ndarray]],
    ) -> np.ndarray:
        """Return logits (n, k) float64 of every cell by trees grown without its fold, uncalibrated; NaN where it is in no test.

        `parts` are rows to grow on and rows to test. A class that is not grown on gets a logit so low that it is never chosen.

        Parameters
        ----------
        X : numpy.ndarray
            (n, d) features.
        y : numpy.ndarray
            (n,) classes.
        parts : sequence of tuple of numpy.ndarray, numpy.ndarray
            (n,) part of every row; each part is predicted from the others.

        Returns
        -------
        numpy.ndarray
            Logits (n, k) float64 of every cell by trees grown without its fold, uncalibrated.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> X, y = np.arange(12.0)[:, None], np.array(["small"] * 6 + ["large"] * 6)
        >>> even, odd = np.arange(0, 12, 2), np.arange(1, 12, 2)
        >>> logits = cgc.models.CalibratedTrees(n_trees=20).out_of_fold(X, y, [(even, odd)])
        >>> logits.shape, np.isnan(logits).any(axis=1).nonzero()[0].tolist()  # even rows are in no test
        ((12, 2), [0, 2, 4, 6, 8, 10])
        """
        classes, codes = class_codes(y)
        out = np.full((len(codes), len(classes)), np.nan)
        for train, test in parts:
            grown = self._grown(np.asarray(X[train], np.float32), codes[train])
            out[test] = NEVER
            out[np.ix_(test, grown.classes_)] = self._logits(grown, np.asarray(X[test], np.float32))
        return out

    def _grown(self, X: np.ndarray, y: np.ndarray, n_trees: int | None = None) -> ExtraTreesClassifier:  # noqa: N803
        from sklearn.ensemble import ExtraTreesClassifier

        return ExtraTreesClassifier(
            n_trees or self.n_trees,
            max_features=float(self.max_features),
            n_jobs=1 if len(X) <= FEW_CELLS else n_workers(self.n_jobs),
            random_state=as_seed(self.random_state),
        ).fit(X, y)

    def _logits(self, trees: ExtraTreesClassifier, X: np.ndarray) -> np.ndarray:  # noqa: N803
        return np.log(trees.predict_proba(X) + 0.5 / self.n_trees)
