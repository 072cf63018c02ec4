"""`SoftInfoNCEClassifier`: soft-target heads on feature vectors, with calibrated confidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from cellgraph_clr._core.checks import check_in_range, check_option, check_whole, expected
from cellgraph_clr._core.errors import OptionError, ShapeError
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr._core.scaling import column_moments
from cellgraph_clr.models.runs import whole_or_none
from cellgraph_clr.models.soft_targets import (
    HARD,
    HEADS,
    LOSSES,
    class_codes,
    out_of_fold_temperature,
    soft_loss,
    starting_targets,
)

if TYPE_CHECKING:
    import os

    from torch import nn

__all__ = ["SoftInfoNCEClassifier"]

CALIBRATION_FOLDS = 5


class SoftInfoNCEClassifier(ClassifierMixin, BaseEstimator):
    """Classifier trained by SoftInfoNCE on soft targets; a scikit-learn estimator on arrays.

    Parameters
    ----------
    head : "linear" or "mlp".
    loss : "soft_infonce" (noise: the other samples' targets), "soft_cross_entropy" (the control), or the same two on one-hot
        targets, "infonce" and "cross_entropy", which know neither smoothing nor mixup.
    smoothing : share of every target spread over all classes.
    mixup : alpha of mixed pairs of samples; 0 for none.
    class_weight : "balanced" weighs samples so that every class has the same weight in the loss; a mapping class -> weight;
        None: all samples alike.
    temperature : divides the logits, in training and prediction.
    calibrate : fit one temperature on out-of-fold logits (5 folds; fewer for small classes), used by `predict_proba`.
    n_steps, batch_size, learning_rate, weight_decay : of AdamW with a cosine schedule.
    random_state : seed.

    Attributes
    ----------
    classes_ : sorted class labels.
    class_prior_ : frequencies of the smoothed training targets, the eta of the loss.
    calibration_temperature_ : 1 without calibration.
    n_features_in_ : width of X.
    history_ : {"loss": one value a step}.

    Notes
    -----
    Features are standardised inside. ``fit`` raises ValueError (scikit-learn's checks) for NaN, other widths or continuous
    targets, `LabelKeyError` for a single class, and `OptionError` for options outside their range.

    Source
    ------
    Hugger and Uhlmann 2024, arXiv 2404.14076.
    """

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

    @whole_or_none
    def fit(
        self,
        X: np.ndarray,  # noqa: N803 - scikit-learn's name
        y: np.ndarray,
        *,
        targets: np.ndarray | None = None,
    ) -> SoftInfoNCEClassifier:
        """Train on X (n, f) and labels y (n,), and return self.

        `targets` (n, k) are probabilities to learn from instead of smoothed labels (a teacher's, the composition of the
        neighbourhood), columns in sorted order of the classes in y; y still names the classes and calibrates.
        """
        self._check_options()
        X, y = validate_data(self, X, y, dtype=np.float32)  # noqa: N806
        check_classification_targets(y)
        self.classes_, codes = class_codes(y)
        soft = self._targets(codes, targets)
        self.calibration_temperature_ = self._out_of_fold_temperature(X, codes, soft) if self.calibrate else 1.0
        self._head, self._mean, self._scale, self.class_prior_, losses = self._train(X, codes, soft)
        self.history_ = {"loss": losses}
        return self

    def decision_function(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
        """Return logits (n, k) over the training temperature; (n,) log-odds of the second class for two classes."""
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
        """Return calibrated probabilities (n, k) float64, columns in the order of `classes_`."""
        from scipy.special import softmax

        return softmax(self._logits(X) / self.calibration_temperature_, axis=1)

    def predict(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
        """Return the most probable class (n,)."""
        best = self._logits(X).argmax(axis=1)
        return self.classes_[best]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one safetensors file (beside, then renamed)."""
        import torch

        from cellgraph_clr.training.weights import save_weights

        check_is_fitted(self)
        tensors = {f"head.{k}": v for k, v in self._head.state_dict().items()}
        tensors |= {"mean": torch.from_numpy(self._mean), "scale": torch.from_numpy(self._scale)}
        weights: Any = self.class_weight
        if isinstance(weights, Mapping):  # JSON has text as keys only
            weights = [[np.asarray(k).item(), float(v)] for k, v in weights.items()]
        header = {
            "kind": "SoftInfoNCEClassifier",
            "config": {**self.get_params(), "random_state": as_seed(self.random_state), "class_weight": weights},
            "classes": self.classes_.tolist(),
            "class_prior": self.class_prior_.tolist(),
            "calibration_temperature": self.calibration_temperature_,
            "history": self.history_,
        }
        save_weights(path, tensors, header)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SoftInfoNCEClassifier:
        """Return a saved classifier. Raises `MissingFileError` and `ModelFileError`."""
        from cellgraph_clr.training.weights import load_weights

        tensors, header = load_weights(path, "SoftInfoNCEClassifier")
        config = header["config"]
        if isinstance(config["class_weight"], list):
            config["class_weight"] = dict(config["class_weight"])
        model = cls(**config)
        model.classes_ = np.asarray(header["classes"])
        model.class_prior_ = np.asarray(header["class_prior"], np.float32)
        model.calibration_temperature_ = header["calibration_temperature"]
        model.history_ = header["history"]
        model._mean, model._scale = tensors.pop("mean").numpy(), tensors.pop("scale").numpy()
        model.n_features_in_ = len(model._mean)
        model._head = model._new_head(len(model._mean), len(model.classes_))
        model._head.load_state_dict({k.removeprefix("head."): v for k, v in tensors.items()})
        model._head.eval()
        return model

    def _check_options(self) -> None:
        check_option("head", self.head, HEADS)
        check_option("loss", self.loss, LOSSES)
        check_in_range("smoothing", self.smoothing, low=0, high=1, high_open=True)
        check_in_range("mixup", self.mixup, low=0)
        if not isinstance(self.class_weight, Mapping):
            check_option("class_weight", self.class_weight, (None, "balanced"))
        check_whole("n_steps", self.n_steps)
        check_whole("batch_size", self.batch_size, low=2)
        for name in ("temperature", "learning_rate"):
            check_in_range(name, getattr(self, name), low=0, low_open=True)
        check_in_range("weight_decay", self.weight_decay, low=0)

    def _new_head(self, n_in: int, n_classes: int) -> nn.Module:
        from cellgraph_clr.encoders.heads import new_head

        return new_head(self.head, n_in, n_classes)

    def _logits(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
        import torch

        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)  # noqa: N806
        with torch.inference_mode():
            z = self._head(torch.from_numpy((X - self._mean) / self._scale))
        return z.numpy().astype(np.float64) / self.temperature

    def _targets(self, codes: np.ndarray, given: np.ndarray | None) -> np.ndarray:
        """Return the targets (n, k) float32: those given, one-hot ones for hard losses, smoothed ones else."""
        n, k = len(codes), len(self.classes_)
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

    def _out_of_fold_temperature(self, X: np.ndarray, codes: np.ndarray, targets: np.ndarray) -> float:  # noqa: N803
        import torch

        def logits_of(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            head, mean, scale, *_ = self._train(X[train], codes[train], targets[train])
            with torch.inference_mode():
                return head(torch.from_numpy((X[test] - mean) / scale)).double().numpy() / self.temperature

        return out_of_fold_temperature(codes, len(self.classes_), CALIBRATION_FOLDS, logits_of)

    def _train(
        self,
        X: np.ndarray,  # noqa: N803
        codes: np.ndarray,
        soft_targets: np.ndarray,
    ) -> tuple[nn.Module, np.ndarray, np.ndarray, np.ndarray, list[float]]:
        """Return a trained head, the standardisation, the class prior and the losses."""
        import torch

        from cellgraph_clr.views.targets import mix_up

        mean, scale = column_moments(X)
        x = torch.from_numpy((X - mean) / scale)
        targets = torch.from_numpy(soft_targets)
        prior = targets.mean(dim=0)
        chosen = dict(self.class_weight) if isinstance(self.class_weight, Mapping) else self.class_weight
        weight = torch.from_numpy(compute_sample_weight(chosen, self.classes_[codes]).astype(np.float32))
        mixup = 0.0 if self.loss in HARD else self.mixup
        seed = as_seed(self.random_state)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            generator = torch.Generator().manual_seed(seed)
            head = self._new_head(x.shape[1], len(self.classes_)).train()
            optimizer = torch.optim.AdamW(head.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.n_steps)
            losses: list[float] = []
            order = torch.zeros(0, dtype=torch.int64)
            for _ in range(self.n_steps):
                if len(order) < min(self.batch_size, len(x)):
                    order = torch.randperm(len(x), generator=generator)
                batch, order = order[: self.batch_size], order[self.batch_size :]
                inputs, soft = mix_up(x[batch], targets[batch], mixup, generator)
                z = head(inputs)
                value = (soft_loss(self.loss, z, soft, prior, self.temperature) * weight[batch]).mean()
                optimizer.zero_grad(set_to_none=True)
                value.backward()
                optimizer.step()
                schedule.step()
                losses.append(float(value.detach()))
        return head.eval(), mean, scale, prior.numpy(), losses
