"""What a `CellGraphClassifier` and a `SoftInfoNCEClassifier` are: the frozen configurations, checked field by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellgraph_clr._core.checks import check_in_range, check_option, check_whole, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.models.classifiers.data import HEADS, LOSSES

if TYPE_CHECKING:
    from torch import nn

__all__ = ["CellGraphClassifierConfig", "SoftInfoNCEConfig"]


@dataclass(frozen=True, slots=True)
class CellGraphClassifierConfig:
    """What a `CellGraphClassifier` is; every field changes the result.

    Parameters
    ----------
    loss : str, default "soft_infonce"
        "soft_infonce", "soft_cross_entropy", or on one-hot targets "infonce", "cross_entropy".
    head : str or callable, default "mlp"
        "mlp" or "linear"; or one of your own, a callable ``(n_in, n_classes)`` that makes a module.
    smoothing : float, default 0.1
        Share of every target spread over all classes (soft losses).
    consistency : float, default 0.0
        Weight of the mean squared difference between the probabilities of two views of as many unlabelled cells.
    mask_features : float, default 0.0
        Share of features set to their mean in a view; `consistency` needs some augmentation. Without it none is best
        where it was measured (the Platynereis table: 0.2 of both costs 0.025 of accuracy).
    drop_edges : float, default 0.0
        Share of edges left out of a view.
    n_steps : int, default 200
        Optimisation steps.
    learning_rate : float, default 0.02
        Highest of the cosine schedule.
    encoder_rate : float, default 0.02
        Learning rate of the encoder, as a share of the head's; 0 leaves it as it is. With few labels a small one is
        best: the encoder forgets what it learned without labels.
    weight_decay : float, default 0.05
        Of AdamW.
    calibrate : bool, default True
        Fit one temperature on out-of-fold logits (3 folds, which takes four times as long).

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> config = cgc.models.CellGraphClassifierConfig(n_steps=100)
    >>> config.n_steps
    100
    """

    loss: str = "soft_infonce"
    head: str | Callable[[int, int], nn.Module] = "mlp"
    smoothing: float = 0.1
    consistency: float = 0.0
    mask_features: float = 0.0
    drop_edges: float = 0.0
    n_steps: int = 200
    learning_rate: float = 0.02
    encoder_rate: float = 0.02
    weight_decay: float = 0.05
    calibrate: bool = True

    def __post_init__(self) -> None:
        """Check every field."""
        check_option("loss", self.loss, LOSSES)
        if not callable(self.head):
            check_option("head", self.head, HEADS)
        check_whole("n_steps", self.n_steps)
        for name in ("smoothing", "mask_features", "drop_edges"):
            check_in_range(name, getattr(self, name), low=0, high=1, high_open=True)
        for name in ("consistency", "weight_decay", "encoder_rate"):
            check_in_range(name, getattr(self, name), low=0)
        check_in_range("learning_rate", self.learning_rate, low=0, low_open=True)
        if self.consistency > 0 and self.mask_features == 0 and self.drop_edges == 0:
            remedy = "Pass `mask_features` or `drop_edges` above 0."
            raise OptionError(expected("views that differ, for `consistency`", "no augmentation", remedy))


@dataclass(frozen=True, slots=True)
class SoftInfoNCEConfig:
    """What a `SoftInfoNCEClassifier` is; every field changes the result.

    Parameters
    ----------
    head : str or callable, default "linear"
        "linear" or "mlp"; or one of your own, a callable ``(n_in, n_classes)`` that makes a module.
    loss : str, default "soft_infonce"
        "soft_infonce" (noise: the other samples' targets), "soft_cross_entropy" (the control), or the same two on
        one-hot targets, "infonce" and "cross_entropy", which know neither smoothing nor mixup.
    smoothing : float, default 0.1
        Share of every target spread over all classes.
    mixup : float, default 0.0
        Alpha of mixed pairs of samples; 0 for none.
    class_weight : str or mapping of object to float or None, default None
        "balanced" weighs samples so that every class has the same weight in the loss; a mapping class -> weight above
        0, 1 where a class is not in it; None: all samples alike.
    temperature : float, default 1.0
        Divides the logits, in training and prediction.
    calibrate : bool, default True
        Fit one temperature on out-of-fold logits (5 folds; fewer for small classes), used by `predict_proba`.
    n_steps : int, default 200
        Optimisation steps.
    batch_size : int, default 1024
        Samples a step.
    learning_rate : float, default 0.02
        Peak of the cosine schedule.
    weight_decay : float, default 0.05
        Of AdamW.
    """

    head: str | Callable[[int, int], nn.Module] = "linear"
    loss: str = "soft_infonce"
    smoothing: float = 0.1
    mixup: float = 0.0
    class_weight: str | Mapping[object, float] | None = None
    temperature: float = 1.0
    calibrate: bool = True
    n_steps: int = 200
    batch_size: int = 1024
    learning_rate: float = 0.02
    weight_decay: float = 0.05

    def __post_init__(self) -> None:
        """Check every field."""
        if not callable(self.head):
            check_option("head", self.head, HEADS)
        check_option("loss", self.loss, LOSSES)
        check_in_range("smoothing", self.smoothing, low=0, high=1, high_open=True)
        check_in_range("mixup", self.mixup, low=0)
        if not isinstance(self.class_weight, Mapping):
            check_option("class_weight", self.class_weight, (None, "balanced"))
        check_option("calibrate", self.calibrate, (True, False))
        check_whole("n_steps", self.n_steps)
        check_whole("batch_size", self.batch_size, low=2)
        for name in ("temperature", "learning_rate"):
            check_in_range(name, getattr(self, name), low=0, low_open=True, high=1e6)
        check_in_range("weight_decay", self.weight_decay, low=0)
