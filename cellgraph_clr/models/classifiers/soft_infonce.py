"""`SoftInfoNCEClassifier`: soft-target heads on feature vectors, with calibrated confidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_is_fitted

from cellgraph_clr._core.checks import check_in_range, expected, listing
from cellgraph_clr._core.errors import ModelFileError, OptionError, ShapeError
from cellgraph_clr._core.options import shows
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr._core.scaling import column_moments
from cellgraph_clr._core.whole import whole_or_none
from cellgraph_clr.models.classifiers.config import SoftInfoNCEConfig
from cellgraph_clr.models.classifiers.data import (
    HARD,
    calibration_folds,
    class_codes,
    features_and_labels,
    features_like,
    out_of_fold_temperature,
)
from cellgraph_clr.models.classifiers.targets import starting_targets
from cellgraph_clr.models.classifiers.task import HeadTask, new_head
from cellgraph_clr.training.recipe import Fitted, Learner, run_digest
from cellgraph_clr.training.run import Watch, train
from cellgraph_clr.training.runtime import Runtime
from cellgraph_clr.training.saved import DAMAGED, check_form, check_header
from cellgraph_clr.training.task import Schedule
from cellgraph_clr.training.together import Together

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from torch import nn

__all__ = ["SoftInfoNCEClassifier"]

CALIBRATION_FOLDS = 5
RUN = ("device", "precision", "num_workers", "progress")  # where it runs: no part of the model


@shows(SoftInfoNCEConfig)
class SoftInfoNCEClassifier(ClassifierMixin, Learner, BaseEstimator):
    """Classifier trained by SoftInfoNCE on soft targets; a scikit-learn estimator on arrays.

    Parameters
    ----------
    **config : object
        As in `SoftInfoNCEConfig`.
    random_state : int, numpy.random.Generator or None, default 0
        Seed.
    device : str, default "auto"
        As in `CellGraphCLR`.
    precision : str, default "32"
        As in `CellGraphCLR`.
    num_workers : int, default 0
        As in `CellGraphCLR`.
    progress : bool or None, default None
        As in `CellGraphCLR`.

    Attributes
    ----------
    classes_ : numpy.ndarray
        Sorted class labels.
    class_prior_ : numpy.ndarray
        Frequencies of the smoothed training targets, the eta of the loss.
    calibration_temperature_ : float
        1 without calibration.
    n_features_in_
        Width of X.
    history_
        {"loss": one value a step}.

    Notes
    -----
    Features are standardised inside. ``fit`` raises `NonFiniteError`, `ShapeError` or `CellGraphError` (all ValueError, as
    scikit-learn asks) for NaN, other widths or continuous targets, `ArgumentKindError` for what are no numbers, `LabelKeyError`
    for a single class, and `OptionError` for options outside their range.

    References
    ----------
    Hugger and Uhlmann 2024, arXiv 2404.14076.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> rng = np.random.default_rng(0)
    >>> y = np.array(["a", "b"])[np.arange(60) % 2]
    >>> X = rng.normal(size=(60, 3)) + 4 * (y == "a")[:, None]
    >>> model = cgc.models.SoftInfoNCEClassifier(n_steps=30, progress=False).fit(X, y)
    >>> model.predict_proba(X).shape
    (60, 2)
    """

    array_axes = {"mean": ("n_in",), "scale": ("n_in",), "class_prior": ("classes",)}  # noqa: RUF012 - never changed
    arrays_above_zero = ("scale", "class_prior")
    about_form = {"classes": [object], "temperature": float, "n_in": int}  # noqa: RUF012 - never changed

    def __init__(
        self,
        *,
        head: str = "linear",
        loss: str = "soft_infonce",
        smoothing: float = 0.1,
        mixup: float = 0.0,
        class_weight: str | Mapping[object, float] | None = None,
        temperature: float = 1.0,
        calibrate: bool = True,
        n_steps: int = 200,
        batch_size: int = 1024,
        learning_rate: float = 0.02,
        weight_decay: float = 0.05,
        random_state: RandomState = 0,
        device: str = "auto",
        precision: str = "32",
        num_workers: int = 0,
        progress: bool | None = None,
    ) -> None:
        self.head = head
        self.loss = loss
        self.smoothing = smoothing
        self.mixup = mixup
        self.class_weight = class_weight
        self.temperature = temperature
        self.calibrate = calibrate
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.num_workers = num_workers
        self.progress = progress

    @whole_or_none
    def fit(
        self,
        X: np.ndarray,  # noqa: N803 - scikit-learn's name
        y: np.ndarray,
        *,
        targets: np.ndarray | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 100,
        callbacks: Sequence[Any] = (),
        logger: Any = None,
    ) -> Self:
        """Train on X (n, f) and labels y (n,), each of which is a class ("unassigned" too: leave such rows out), and return self.

        `targets` (n, k) are probabilities to learn from instead of smoothed labels (a teacher's, the composition of the
        neighbourhood: `neighbor_composition`), columns in sorted order of the classes in y; y still names the classes and
        calibrates. `checkpoint`, `checkpoint_every`, `callbacks` and `logger` are as in `CellGraphCLR.fit`; heads of folds and of
        all samples are trained in one run.

        Parameters
        ----------
        X : numpy.ndarray
            (n, d) features.
        y : numpy.ndarray
            (n,) classes.
        targets : numpy.ndarray or None, default None
            (n, k) soft targets in place of those made of `y`; None makes them.
        checkpoint : str or path-like or None, default None
            File that training is saved to and goes on from when it exists.
        checkpoint_every : int, default 100
            Steps between two saves.
        callbacks : sequence of object, default ()
            Of Lightning.
        logger : object, default None
            Of Lightning.

        Returns
        -------
        Self
            The fitted model.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> X, y = np.arange(12.0)[:, None], np.array(["small"] * 6 + ["large"] * 6)
        >>> model = cgc.models.SoftInfoNCEClassifier(n_steps=20, calibrate=False, progress=False).fit(X, y)
        >>> len(model.history_["loss"])  # one value a step
        20
        """
        watch = Watch(checkpoint, checkpoint_every, callbacks, logger)
        self._check_options()
        X, y = features_and_labels(self, X, y)  # noqa: N806
        classes, codes = class_codes(y)
        soft = self._targets(codes, len(classes), targets)
        chosen = self._weights_by_class(classes)
        seed = as_seed(self.random_state)
        folds = calibration_folds(codes, CALIBRATION_FOLDS) if self.calibrate else []
        rows = {"all": np.arange(len(X)), **{f"fold{i}": train for i, (train, _) in enumerate(folds)}}
        moments = {name: column_moments(X[some]) for name, some in rows.items()}
        tasks = self._tasks(X, soft, chosen, classes[codes], rows, moments)
        runtime = Runtime(**{name: getattr(self, name) for name in RUN})
        digest = run_digest([self._options(), seed], (X, soft, codes)) if watch.checkpoint else ""
        trained = train(
            Together(tasks), runtime, watch, fingerprint=digest, options={**self._options(), "random_state": seed}
        )
        logits = (
            self._logits_of(trained.networks[f"{name}_head"], _standardised(X[test], *moments[name]), self.temperature)
            for name, (_, test) in zip(list(rows)[1:], folds, strict=True)
        )
        temperature = out_of_fold_temperature(codes, folds, logits)
        about = {"classes": classes.tolist(), "temperature": temperature, "n_in": X.shape[1]}
        arrays = dict(zip(("mean", "scale"), moments["all"], strict=True)) | {"class_prior": soft.mean(axis=0)}
        networks = {"head": trained.networks["all_head"]}
        self._state = Fitted(networks, trained.history, seed, about, arrays, self._options())
        return self

    def out_of_fold(
        self,
        X: np.ndarray,  # noqa: N803
        y: np.ndarray,
        parts: Sequence[tuple[np.ndarray, np.ndarray]],
    ) -> np.ndarray:
        """Return logits (n, k) float64 of every cell by heads trained without its fold, uncalibrated; NaN where it is in no test.

        `parts` are rows to train and rows to test on; all heads are trained in one run. It changes nothing that was fitted.

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
            Logits (n, k) float64 of every cell by heads trained without its fold, uncalibrated.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> X, y = np.arange(12.0)[:, None], np.array(["small"] * 6 + ["large"] * 6)
        >>> even, odd = np.arange(0, 12, 2), np.arange(1, 12, 2)
        >>> model = cgc.models.SoftInfoNCEClassifier(n_steps=20, progress=False)
        >>> logits = model.out_of_fold(X.astype(np.float32), y, [(even, odd), (odd, even)])
        >>> logits.shape, bool(np.isfinite(logits).all())
        ((12, 2), True)
        """
        self._check_options()
        classes, codes = class_codes(y)
        soft = self._targets(codes, len(classes), None)
        rows = {f"fold{i}": train for i, (train, _) in enumerate(parts)}
        moments = {name: column_moments(X[some]) for name, some in rows.items()}
        tasks = self._tasks(X, soft, self._weights_by_class(classes), classes[codes], rows, moments)
        trained = train(Together(tasks), Runtime(**{name: getattr(self, name) for name in RUN}), Watch())
        out = np.full(soft.shape, np.nan)
        for name, (_, test) in zip(rows, parts, strict=True):
            head = trained.networks[f"{name}_head"]
            out[test] = self._logits_of(head, _standardised(X[test], *moments[name]), self.temperature)
        return out

    @property
    def classes_(self) -> np.ndarray:
        """Sorted class labels.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> X, y = np.arange(12.0)[:, None], np.array(["small"] * 6 + ["large"] * 6)
        >>> cgc.models.SoftInfoNCEClassifier(n_steps=2, calibrate=False, progress=False).fit(X, y).classes_.tolist()
        ['large', 'small']
        """
        return np.asarray(self._about("classes"))

    @property
    def class_prior_(self) -> np.ndarray:
        """Frequencies of the smoothed training targets.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> X, y = np.arange(12.0)[:, None], np.array(["small"] * 3 + ["large"] * 9)
        >>> model = cgc.models.SoftInfoNCEClassifier(n_steps=2, smoothing=0, calibrate=False, progress=False).fit(X, y)
        >>> model.class_prior_.tolist()  # large, small
        [0.75, 0.25]
        """
        self._about("classes")
        return self._fitted().arrays["class_prior"]

    @property
    def calibration_temperature_(self) -> float:
        """What logits are divided by; 1 without calibration.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> X, y = np.arange(12.0)[:, None], np.array(["small"] * 6 + ["large"] * 6)
        >>> model = cgc.models.SoftInfoNCEClassifier(n_steps=2, calibrate=False, progress=False).fit(X, y)
        >>> model.calibration_temperature_
        1.0
        """
        return float(self._about("temperature"))

    def _about(self, name: str) -> Any:
        if self._state is None:  # scikit-learn's way of telling that it was not fitted
            raise AttributeError(name)
        return self._state.about[name]

    def decision_function(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
        """Return logits (n, k) over the training temperature; (n,) log-odds of the second class for two classes.

        Parameters
        ----------
        X : numpy.ndarray
            (n, d) features.

        Returns
        -------
        numpy.ndarray
            Logits (n, k) over the training temperature.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> X, y = np.arange(12.0)[:, None], np.array(["small"] * 6 + ["large"] * 6)
        >>> model = cgc.models.SoftInfoNCEClassifier(n_steps=20, calibrate=False, progress=False).fit(X, y)
        >>> (model.decision_function([[0.0], [11.0]]) > 0).tolist()  # above 0: "small"
        [True, False]
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

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
        >>> model = cgc.models.SoftInfoNCEClassifier(n_steps=20, calibrate=False, progress=False).fit(X, y)
        >>> proba = model.predict_proba([[0.0], [11.0]])
        >>> proba.shape, bool(np.allclose(proba.sum(axis=1), 1))
        ((2, 2), True)
        """
        from scipy.special import softmax

        return softmax(self._logits(X) / self.calibration_temperature_, axis=1)

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
        >>> model = cgc.models.SoftInfoNCEClassifier(n_steps=20, calibrate=False, progress=False).fit(X, y)
        >>> model.predict([[0.0], [11.0]]).tolist()
        ['small', 'large']
        """
        best = self._logits(X).argmax(axis=1)
        return self.classes_[best]

    def _options(self) -> dict[str, Any]:
        options = {k: v for k, v in self.get_params().items() if k not in ("random_state", *RUN)}
        if isinstance(self.class_weight, Mapping):  # JSON has text as keys only
            options["class_weight"] = [[np.asarray(k).item(), float(v)] for k, v in self.class_weight.items()]
        return options

    @classmethod
    def from_state(
        cls, tensors: Mapping[str, torch.Tensor], header: Mapping[str, Any], *, device: str = "auto", **objects: Any
    ) -> Self:
        """Return a fitted model from what `state` gave; raises as `load`.

        Parameters
        ----------
        tensors : mapping of str to torch.Tensor
            The tensors.
        header : mapping of str to object
            The header.
        device : str, default "auto"
            As in `load`.
        **objects : object
            Options that are the user's own objects, as in `load`.

        Returns
        -------
        SoftInfoNCEClassifier
            The fitted model.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> X, y = np.arange(12.0)[:, None], np.array(["small"] * 6 + ["large"] * 6)
        >>> model = cgc.models.SoftInfoNCEClassifier(n_steps=2, calibrate=False, progress=False).fit(X, y)
        >>> again = cgc.models.SoftInfoNCEClassifier.from_state(*model.state())
        >>> bool((again.predict_proba(X) == model.predict_proba(X)).all())
        True
        """
        check_header(header)
        options = dict(header["config"])
        if isinstance(options.get("class_weight"), list):
            check_form(options["class_weight"], [[object]], "config.class_weight")
            options["class_weight"] = {pair[0]: pair[-1] for pair in options["class_weight"] if pair}
        model = super().from_state(tensors, {**header, "config": options}, device=device, **objects)
        try:
            model._check_options()  # noqa: SLF001 - of the same class; scikit-learn leaves it to `fit`
        except OptionError as error:
            raise ModelFileError(expected("the options of a model", f"others ({error})", DAMAGED)) from error
        model.n_features_in_ = header["about"]["n_in"]
        moments = [model._fitted().arrays.get(name) for name in ("mean", "scale")]  # noqa: SLF001 - of the same class
        if any(m is None or m.shape != (model.n_features_in_,) for m in moments):
            raise ModelFileError(expected(f"mean and scale of {model.n_features_in_} features", "others", DAMAGED))
        model._state = replace(model._fitted(), options=model._options())  # noqa: SLF001 - of the same class
        return model

    def _new_networks(self, about: Mapping[str, Any]) -> dict[str, nn.Module]:
        return {"head": new_head(self.head, about["n_in"], len(about["classes"]))}

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether it was fitted."""
        return self._state is not None

    def _check_options(self) -> None:
        """Raise `OptionError` for a wrong option; scikit-learn wants constructors that check nothing."""
        SoftInfoNCEConfig(**{f.name: getattr(self, f.name) for f in fields(SoftInfoNCEConfig)})

    def _weights_by_class(self, classes: np.ndarray) -> Any:
        """Return `class_weight` as scikit-learn takes it. Raises `OptionError` for other classes or weights that are none."""
        if not isinstance(self.class_weight, Mapping):
            return self.class_weight
        names = classes.tolist()
        for name, weight in self.class_weight.items():
            if name not in names:
                raise OptionError(expected("classes of y in `class_weight`", repr(name), f"Known: {listing(names)}."))
            check_in_range(f"class_weight[{name!r}]", weight, low=0, low_open=True)
        return {name: float(self.class_weight.get(name, 1.0)) for name in names}

    def _logits(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
        check_is_fitted(self)
        state = self._fitted()
        X = features_like(self, X)  # noqa: N806
        x = _standardised(X, state.arrays["mean"], state.arrays["scale"])
        return self._logits_of(state.networks["head"], x, state.options["temperature"])

    @staticmethod
    def _logits_of(head: nn.Module, x: np.ndarray, temperature: float) -> np.ndarray:
        """Return the logits (n, k) float64 of standardised features, over the temperature of training."""
        device = next(head.parameters()).device
        with torch.inference_mode():
            return head(torch.from_numpy(x).to(device)).cpu().numpy().astype(np.float64) / temperature

    def _targets(self, codes: np.ndarray, k: int, given: np.ndarray | None) -> np.ndarray:
        """Return the targets (n, k) float32: those given, one-hot ones for hard losses, smoothed ones else."""
        n = len(codes)
        if given is None:
            return starting_targets(self.loss, codes, k, self.smoothing).numpy()
        if self.loss in HARD:
            raise OptionError(expected("a soft loss for `targets`", self.loss, "Pass loss='soft_infonce'."))
        table = np.asarray(given, np.float32)
        if table.shape != (n, k):
            raise ShapeError(expected(f"`targets` of shape {(n, k)}", table.shape, "One column per class of y."))
        if not ((table >= 0).all() and np.allclose(table.sum(axis=1), 1, atol=1e-4)):
            raise OptionError(expected("`targets` whose rows sum to 1", "other rows", "Divide each row by its sum."))
        return table

    def _tasks(
        self, x: np.ndarray, soft: np.ndarray, chosen: Any, y: np.ndarray, rows: Mapping[str, np.ndarray], moments: Any
    ) -> dict[str, HeadTask]:
        """Return one task for each set of rows, its features standardised by moments of its own."""
        seed, tasks = as_seed(self.random_state), {}
        for name, some in rows.items():
            weight = compute_sample_weight(chosen, y[some]).astype(np.float32)
            tasks[name] = self._task(_standardised(x[some], *moments[name]), soft[some], weight, seed)
        return tasks

    def _task(self, x: np.ndarray, targets: np.ndarray, weight: np.ndarray, seed: int) -> HeadTask:
        """Return what a head on standardised features learns."""
        return HeadTask(
            self.head,
            self.loss,
            torch.from_numpy(x),
            torch.from_numpy(targets),
            torch.from_numpy(weight),
            temperature=self.temperature,
            mixup=0.0 if self.loss in HARD else self.mixup,
            batch_size=self.batch_size,
            schedule=Schedule(self.n_steps, self.learning_rate, self.weight_decay, "cosine"),
            seed=seed,
        )


def _standardised(X: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:  # noqa: N803
    return np.asarray((X - mean) / scale, np.float32)
