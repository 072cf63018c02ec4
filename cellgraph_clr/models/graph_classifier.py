"""`CellGraphClassifier`: a pre-trained graph encoder fine-tuned end to end on labelled cells, with calibrated confidence."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_in_range, check_option, check_whole, expected
from cellgraph_clr._core.errors import CellGraphError, LabelKeyError, OptionError
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr._core.scaling import column_moments
from cellgraph_clr.adata.labels import label_codes
from cellgraph_clr.adata.reading import check_edges
from cellgraph_clr.models.runs import whole_or_none
from cellgraph_clr.models.soft_targets import HEADS, LOSSES, out_of_fold_temperature, soft_loss, starting_targets

if TYPE_CHECKING:
    import os

    from anndata import AnnData
    from scipy.sparse import csr_matrix
    from torch import Tensor

    from cellgraph_clr.models.cellgraph_clr import CellGraphCLR

__all__ = ["CellGraphClassifier"]

CALIBRATION_FOLDS = 3


class CellGraphClassifier:
    """Cell types from a graph encoder and the features, trained together on the labelled cells.

    The encoder starts from a fitted `CellGraphCLR`; a head reads the standardised features beside its output. With
    `consistency` the unlabelled cells take part: two augmented views of them should get the same probabilities.

    Parameters
    ----------
    base : fitted `CellGraphCLR`, copied and left as it is.
    head : "mlp" or "linear".
    loss : "soft_infonce", "soft_cross_entropy", or on one-hot targets "infonce", "cross_entropy".
    smoothing : share of every target spread over all classes (soft losses).
    consistency : weight of the mean squared difference between the probabilities of two views of as many unlabelled cells.
    mask_features, drop_edges : augmentation of every step, as in `CellGraphCLR`; `consistency` needs some. Without it none is
        best where it was measured (the Platynereis table: 0.2 of both costs 0.025 of accuracy).
    n_steps, learning_rate, weight_decay : of AdamW with a cosine schedule.
    encoder_rate : learning rate of the encoder, as a share of the head's; 0 leaves it as it is. With few labels a small one is
        best: the encoder forgets what it learned without labels.
    calibrate : fit one temperature on out-of-fold logits (3 folds, which takes four times as long).
    random_state : seed.

    Attributes
    ----------
    classes_ : sorted class names.
    class_prior_ : their frequencies among the targets.
    calibration_temperature_ : 1 without calibration.
    history_ : {"loss": one value a step}.
    seed_ : the integer seed that `fit` used.

    Notes
    -----
    A step encodes the labelled cells with their halo: O(cells in reach). Figures on cells within reach of labelled ones are
    too good: split by `pp.split(by="block")` or "library".

    Source
    ------
    SoftInfoNCE: Hugger and Uhlmann 2024. Consistency: Laine and Aila 2017 (pi-model), on graph views.
    """

    def __init__(
        self,
        base: CellGraphCLR,
        *,
        loss: str = "soft_infonce",
        head: str = "mlp",
        smoothing: float = 0.1,
        consistency: float = 0.0,
        mask_features: float = 0.0,
        drop_edges: float = 0.0,
        n_steps: int = 200,
        learning_rate: float = 0.02,
        encoder_rate: float = 0.02,
        weight_decay: float = 0.05,
        calibrate: bool = True,
        random_state: RandomState = 0,
    ) -> None:
        check_option("loss", loss, LOSSES)
        check_option("head", head, HEADS)
        check_whole("n_steps", n_steps)
        for name, value in (("smoothing", smoothing), ("mask_features", mask_features), ("drop_edges", drop_edges)):
            check_in_range(name, value, low=0, high=1, high_open=True)
        rates = (("consistency", consistency), ("weight_decay", weight_decay), ("encoder_rate", encoder_rate))
        for name, value in rates:
            check_in_range(name, value, low=0)
        check_in_range("learning_rate", learning_rate, low=0, low_open=True)
        if consistency > 0 and mask_features == 0 and drop_edges == 0:
            remedy = "Pass `mask_features` or `drop_edges` above 0."
            raise OptionError(expected("views that differ, for `consistency`", "no augmentation", remedy))
        self.base = base
        self.options: dict[str, Any] = {
            "loss": loss,
            "head": head,
            "smoothing": smoothing,
            "consistency": consistency,
            "mask_features": mask_features,
            "drop_edges": drop_edges,
            "n_steps": n_steps,
            "learning_rate": learning_rate,
            "encoder_rate": encoder_rate,
            "weight_decay": weight_decay,
            "calibrate": calibrate,
        }
        self.random_state = random_state
        self.classes_ = np.zeros(0, str)
        self.class_prior_ = np.zeros(0, np.float32)
        self.calibration_temperature_ = 1.0
        self.history_: dict[str, list[float]] = {}
        self.seed_ = 0
        self._network: Any | None = None

    def __repr__(self) -> str:
        """Return the constructor's form."""
        return f"CellGraphClassifier({self.base!r}, {', '.join(f'{k}={v!r}' for k, v in self.options.items())})"

    @whole_or_none
    def fit(self, data: AnnData, label_key: str, **keys: Any) -> CellGraphClassifier:
        """Train on the cells whose `obs[label_key]` is neither missing nor "unassigned", and return self.

        `keys` are use_rep, neighbors_key and library_key, as in `CellGraphCLR.transform`; errors as there, and
        `LabelKeyError` for a missing column or fewer than two classes among the labelled cells.
        """
        codes, classes = label_codes(data, label_key)
        labelled = np.flatnonzero(codes >= 0)
        present, local = np.unique(codes[labelled], return_inverse=True)
        if len(present) < 2:
            found = [classes[i] for i in present]
            raise LabelKeyError(expected("at least two classes", found, "Label cells of another class too."))
        self.classes_ = np.asarray([classes[i] for i in present])
        x, adjacency, edge_attr = self.base.graph_tensors(data, **keys)
        check_edges(adjacency.nnz, data.n_obs, keys.get("neighbors_key", "spatial"))
        material = (x, adjacency, edge_attr)
        self.calibration_temperature_ = 1.0
        self.seed_ = as_seed(self.random_state)
        moments = self._moments(material)

        def logits_of(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            network, *_ = self._train(material, moments, labelled[train], local[train])
            return self._logits(network, material, labelled[test])

        if self.options["calibrate"]:
            self.calibration_temperature_ = out_of_fold_temperature(
                local, len(self.classes_), CALIBRATION_FOLDS, logits_of
            )
        self._network, self.class_prior_, losses = self._train(material, moments, labelled, local)
        self.history_ = {"loss": losses}
        return self

    def predict_proba(self, data: AnnData, **keys: Any) -> np.ndarray:
        """Return calibrated probabilities (n, k) float64 of all cells, columns in the order of `classes_`."""
        from scipy.special import softmax

        if self._network is None:
            raise CellGraphError(expected("a fitted model", "one that was not fitted", "Call `fit` first."))
        material = self.base.graph_tensors(data, **keys)
        logits = self._logits(self._network, material, np.arange(len(material[0])))
        return softmax(logits / self.calibration_temperature_, axis=1)

    def predict(self, data: AnnData, **keys: Any) -> np.ndarray:
        """Return the most probable class (n,) of all cells."""
        best = self.predict_proba(data, **keys).argmax(axis=1)
        return self.classes_[best]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write model and base to one safetensors file (beside, then renamed)."""
        from cellgraph_clr.training.weights import save_weights

        if self._network is None:
            raise CellGraphError(expected("a fitted model", "one that was not fitted", "Call `fit` first."))
        tensors, header = self.base.state()
        tensors |= {f"network.{k}": v for k, v in self._network.state_dict().items()}
        own = {
            "kind": "CellGraphClassifier",
            "base": header,
            "options": self.options,
            "seed": self.seed_,
            "classes": self.classes_.tolist(),
            "class_prior": self.class_prior_.tolist(),
            "calibration_temperature": self.calibration_temperature_,
            "history": self.history_,
        }
        save_weights(path, tensors, own)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "auto") -> CellGraphClassifier:
        """Return a saved classifier. Raises `MissingFileError` and `ModelFileError`."""
        import torch

        from cellgraph_clr.models.cellgraph_clr import CellGraphCLR
        from cellgraph_clr.training.weights import load_weights

        tensors, header = load_weights(path, "CellGraphClassifier")
        mine = {k.removeprefix("network."): tensors.pop(k) for k in list(tensors) if k.startswith("network.")}
        base = CellGraphCLR.from_state(tensors, header["base"], device=device)
        model = cls(base, random_state=header["seed"], **header["options"])
        model.seed_ = header["seed"]
        model.classes_ = np.asarray(header["classes"])
        model.class_prior_ = np.asarray(header["class_prior"], np.float32)
        model.calibration_temperature_ = header["calibration_temperature"]
        model.history_ = header["history"]
        width = len(mine["mean"])
        network = model._new_network(len(model.classes_), torch.zeros(width), torch.ones(width))
        network.load_state_dict(mine)
        model._network = network.eval()
        return model

    def _new_network(self, n_classes: int, mean: Tensor, scale: Tensor) -> Any:
        from cellgraph_clr.encoders.heads import EncoderWithHead, new_head

        encoder: Any = copy.deepcopy(self.base.encoder())
        n_in, n_out = encoder.enter.in_features, encoder.leave.out_features
        head = new_head(self.options["head"], n_in + n_out, n_classes)
        network = EncoderWithHead(encoder, head, mean, scale)
        return network.to(next(encoder.parameters()).device)

    def _moments(self, material: Any) -> tuple[Tensor, Tensor]:
        """Return mean and spread (d,) of what the base gives of all cells."""
        import torch

        x, adjacency, edge_attr = material
        h = self.base.embed_tensors(x, adjacency, edge_attr, curve=np.arange(len(x)))
        mean, scale = column_moments(h)
        return torch.from_numpy(mean), torch.from_numpy(scale)

    def _view(
        self, network: Any, material: tuple[Tensor, csr_matrix, Tensor | None], rows: np.ndarray, view: Any | None
    ) -> Tensor:
        """Return the logits (r, k) of rows, in an augmented view when generators are given."""
        import torch

        from cellgraph_clr.graphs.tiles import halo
        from cellgraph_clr.training.steps import encode
        from cellgraph_clr.views.augment import drop_edges, mask_features

        x, adjacency, edge_attr = material
        part = halo(adjacency, rows, len(network.encoder.layers))
        values, edges = x[torch.from_numpy(part.rows)], part.adjacency
        if view is not None:
            rng, generator = view
            values = mask_features(values, self.options["mask_features"], generator)
            edges = drop_edges(edges, self.options["drop_edges"], rng)
        device = next(network.parameters()).device
        core = torch.from_numpy(part.core)
        h = encode(network.encoder, values, edges, edge_attr, device)
        out: Tensor = network(values[core].to(device), h[core.to(device)])
        return out

    def _logits(self, network: Any, material: Any, rows: np.ndarray, *, tile: int = 8192) -> np.ndarray:
        import torch

        network.eval()
        with torch.inference_mode():
            parts = [self._view(network, material, rows[i : i + tile], None) for i in range(0, len(rows), tile)]
            return torch.cat(parts).double().cpu().numpy()

    def _train(
        self, material: Any, moments: tuple[Tensor, Tensor], labelled: np.ndarray, codes: np.ndarray
    ) -> tuple[Any, np.ndarray, list[float]]:
        """Return the trained network, the class prior and the losses."""
        import torch

        o, k = self.options, len(self.classes_)
        seed = self.seed_
        with torch.random.fork_rng(devices=[]):  # the head draws its start and its dropout from it
            torch.manual_seed(seed)
            network = self._new_network(k, *moments).train()
            device = next(network.parameters()).device
            targets = starting_targets(o["loss"], codes, k, o["smoothing"]).to(device)
            prior = targets.mean(dim=0)
            groups = [
                {"params": network.encoder.parameters(), "lr": o["learning_rate"] * o["encoder_rate"]},
                {"params": network.head.parameters(), "lr": o["learning_rate"]},
            ]
            optimizer = torch.optim.AdamW(groups, weight_decay=o["weight_decay"])
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, o["n_steps"])
            rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
            unlabelled = np.setdiff1d(np.arange(len(material[0])), labelled)
            losses: list[float] = []
            for _ in range(o["n_steps"]):
                others = unlabelled[:0]
                if o["consistency"] > 0 and len(unlabelled):
                    others = rng.choice(unlabelled, min(len(labelled), len(unlabelled)), replace=False)
                rows = np.concatenate([labelled, others])
                z = self._view(network, material, rows, (rng, generator))
                own = z[: len(labelled)]
                value = soft_loss(o["loss"], own, targets, prior).mean()
                if len(others):
                    again = self._view(network, material, others, (rng, generator))
                    apart = torch.softmax(z[len(labelled) :], 1) - torch.softmax(again, 1)
                    value = value + o["consistency"] * apart.square().sum(1).mean()
                optimizer.zero_grad(set_to_none=True)
                value.backward()
                optimizer.step()
                schedule.step()
                losses.append(float(value.detach()))
        return network.eval(), prior.cpu().numpy(), losses
