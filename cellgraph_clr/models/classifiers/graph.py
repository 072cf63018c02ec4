"""`CellGraphClassifier`: a pre-trained graph encoder fine-tuned end to end on labelled cells, with calibrated confidence."""

from __future__ import annotations

from copy import copy, deepcopy
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_finite, expected
from cellgraph_clr._core.errors import LabelKeyError
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr._core.scaling import column_moments
from cellgraph_clr.adata.labels import label_codes
from cellgraph_clr.adata.reading import check_edges
from cellgraph_clr.encoders.graph import encode
from cellgraph_clr.models.cell_graph.model import CellGraphCLR
from cellgraph_clr.models.classifiers.config import CellGraphClassifierConfig
from cellgraph_clr.models.classifiers.data import calibration_folds, out_of_fold_temperature
from cellgraph_clr.models.classifiers.targets import starting_targets
from cellgraph_clr.models.classifiers.task import GraphHeadTask, HeadBeside, neighbourhood, new_head
from cellgraph_clr.training.devices import threads_for
from cellgraph_clr.training.recipe import Fitted, Recipe, run_digest
from cellgraph_clr.training.run import Trained, Watch, Watches, train
from cellgraph_clr.training.saved import OVERFLOWN

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from anndata import AnnData
    from scipy.sparse import csr_matrix

__all__ = ["CellGraphClassifier"]

CALIBRATION_FOLDS = 3
TILE = 8192  # cells whose logits are worked out at a time


class CellGraphClassifier(Recipe[CellGraphClassifierConfig]):
    """Cell types from a graph encoder and the features, trained together on the labelled cells.

    The encoder starts from a fitted `CellGraphCLR`; a head reads the standardised features beside its output. With
    `consistency` the unlabelled cells take part: two augmented views of them should get the same probabilities.

    Parameters
    ----------
    base : CellGraphCLR
        Fitted `CellGraphCLR`, copied and left as it is.
    random_state : int, numpy.random.Generator or None, default 0
        As in `CellGraphCLR`.
    device : str, default "auto"
        As in `CellGraphCLR`.
    precision : str, default "32"
        As in `CellGraphCLR`.
    num_workers : int, default 0
        As in `CellGraphCLR`.
    progress : bool or None, default None
        As in `CellGraphCLR`.
    **config : object
        Fields of `CellGraphClassifierConfig`; an unknown one raises `OptionError`.

    Attributes
    ----------
    config
        `CellGraphClassifierConfig`.
    history_
        {"loss": one value a step}.
    seed_
        The integer seed that `fit` used.

    Notes
    -----
    A step encodes the labelled cells with their halo: O(cells in reach). Figures on cells within reach of labelled ones are
    too good: split by `pp.split(by="block")` or "library".

    References
    ----------
    SoftInfoNCE: Hugger and Uhlmann 2024. Consistency: Laine and Aila 2017 (pi-model), on graph views.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.gr.contact_graph(adata)
    >>> model = cgc.models.CellGraphCLR(n_steps=5, n_dims=8, progress=False).fit(adata)
    >>> adata.obs["type"] = adata.obs["true_niche"]
    >>> classifier = cgc.models.CellGraphClassifier(model, n_steps=5, progress=False).fit(adata, "type")
    >>> classifier.predict_proba(adata).shape[0] == adata.n_obs
    True
    """

    config_class = CellGraphClassifierConfig
    about_form = {"classes": [str], "temperature": float, "keys": {str: object}, "sizes": [int]}  # noqa: RUF012 - never changed
    models = {"base": CellGraphCLR}  # noqa: RUF012 - never changed

    def __init__(
        self,
        base: CellGraphCLR,
        *,
        random_state: RandomState = 0,
        device: str = "auto",
        precision: str = "32",
        num_workers: int = 0,
        progress: bool | None = None,
        **config: Any,
    ) -> None:
        run: dict[str, Any] = {"precision": precision, "num_workers": num_workers, "progress": progress}
        super().__init__(random_state=random_state, device=device, **run, **config)
        self.base = copy(base)  # a second fit of it is not ours

    @property
    def classes_(self) -> np.ndarray:
        """Sorted class names.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> adata = cgc.datasets.tissue(60, random_state=0).adata()
        >>> cgc.gr.contact_graph(adata)
        >>> base = cgc.models.CellGraphCLR(n_steps=2, progress=False).fit(adata)
        >>> model = cgc.models.CellGraphClassifier(base, n_steps=2, calibrate=False, progress=False)
        >>> model.fit(adata, "true_niche").classes_.tolist() == list(adata.obs["true_niche"].cat.categories.astype(str))
        True
        """
        return np.asarray([] if self._state is None else self._state.about["classes"], str)

    @property
    def class_prior_(self) -> np.ndarray:
        """Frequencies of the classes among the targets.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> adata = cgc.datasets.tissue(60, random_state=0).adata()
        >>> cgc.gr.contact_graph(adata)
        >>> base = cgc.models.CellGraphCLR(n_steps=2, progress=False).fit(adata)
        >>> model = cgc.models.CellGraphClassifier(base, n_steps=2, calibrate=False, progress=False)
        >>> round(float(model.fit(adata, "true_niche").class_prior_.sum()), 4)  # shares of the classes
        1.0
        """
        return np.zeros(0, np.float32) if self._state is None else self._state.arrays["class_prior"]

    @property
    def calibration_temperature_(self) -> float:
        """What logits are divided by; 1 without calibration.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> adata = cgc.datasets.tissue(60, random_state=0).adata()
        >>> cgc.gr.contact_graph(adata)
        >>> base = cgc.models.CellGraphCLR(n_steps=2, progress=False).fit(adata)
        >>> model = cgc.models.CellGraphClassifier(base, n_steps=2, calibrate=False, progress=False)
        >>> model.fit(adata, "true_niche").calibration_temperature_
        1.0
        """
        return 1.0 if self._state is None else float(self._state.about["temperature"])

    @checked
    def fit(
        self,
        data: AnnData,
        label_key: str,
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 100,
        callbacks: Sequence[Any] = (),
        logger: Any = None,
        **keys: Any,
    ) -> Self:
        """Train on the cells whose `obs[label_key]` is neither missing nor "unassigned", and return self.

        Parameters
        ----------
        data : AnnData
            Of the features that `base` was fitted on.
        label_key : str
            `obs` column.
        checkpoint : str or path-like or None, default None
            Folder that runs are saved to, one file a fold and one for all cells; None saves nothing.
        checkpoint_every : int, default 100
            Steps between two savings.
        callbacks : sequence of object, default ()
            Of Lightning, for each of the runs.
        logger : object, default None
            Of Lightning, for each of the runs.
        **keys : object
            The keys use_rep, neighbors_key and library_key, as in `CellGraphCLR.transform`; `predict` takes the same.

        Returns
        -------
        Self
            The fitted model.

        Raises
        ------
        LabelKeyError
            For a missing column or fewer than two classes among the labelled cells; else as `CellGraphCLR.transform`.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> adata = cgc.datasets.tissue(60, random_state=0).adata()
        >>> cgc.gr.contact_graph(adata)
        >>> base = cgc.models.CellGraphCLR(n_steps=2, progress=False).fit(adata)
        >>> adata.obs["type"] = adata.obs["true_niche"].astype(str).where(adata.obs["cell_id"] % 2 == 0, "unassigned")
        >>> model = cgc.models.CellGraphClassifier(base, n_steps=2, calibrate=False, progress=False).fit(adata, "type")
        >>> "unassigned" in model.classes_
        False
        """
        watches = Watches(checkpoint, checkpoint_every, callbacks, logger)
        codes, classes = label_codes(data, label_key)
        labelled = np.flatnonzero(codes >= 0)
        present, local = np.unique(codes[labelled], return_inverse=True)
        if len(present) < 2:
            found = [classes[i] for i in present]
            raise LabelKeyError(expected("at least two classes", found, "Label cells of another class too."))
        names = [str(classes[i]) for i in present]
        material = self.base.graph_tensors(data, **keys)
        check_edges(material[1].nnz, data.n_obs, keys.get("neighbors_key", "spatial"))
        seed, moments = as_seed(self.random_state), self._moments(material)
        c = self.config
        targets = starting_targets(c.loss, local, len(names), c.smoothing)

        def learned(rows: np.ndarray, watch: Watch) -> Trained:
            """Learn from some of the labelled cells."""
            mine = labelled[rows], targets[torch.from_numpy(rows)]
            task = GraphHeadTask(c, self.base.encoder(), material, moments, self.base.config.n_layers, *mine, seed)
            about = [self._options(), seed, label_key]
            arrays = (material[0].numpy(), material[1].indptr, material[1].indices, mine[0], mine[1].numpy())
            options = {**self._options(), "label_key": label_key, "random_state": seed}
            digest = run_digest(about, arrays) if watch.checkpoint else ""
            with threads_for(data.n_obs):
                return train(task, self.runtime, watch, fingerprint=digest, options=options)

        folds = calibration_folds(local, CALIBRATION_FOLDS) if c.calibrate else []
        logits = (
            self._logits(learned(rows, watches.named(f"fold_{i}")).networks, material, labelled[test])
            for i, (rows, test) in enumerate(folds)
        )
        temperature = out_of_fold_temperature(local, folds, logits)
        trained = learned(np.arange(len(labelled)), watches.named("all"))
        prior = targets.mean(dim=0).numpy()
        about = {
            "classes": names,
            "temperature": temperature,
            "keys": keys,
            "sizes": [material[0].shape[1], len(moments[0])],
        }
        self._state = Fitted(trained.networks, trained.history, seed, about, {"class_prior": prior})
        return self

    @checked
    def predict_proba(self, data: AnnData, **keys: Any) -> np.ndarray:
        """Return calibrated probabilities (n, k) float64 of all cells, columns in the order of `classes_`.

        `keys` are those of `fit` where they are not given. Raises as `CellGraphCLR.transform`.

        Parameters
        ----------
        data : AnnData
            Cells with features and a graph.
        **keys : object
            As in `fit`.

        Returns
        -------
        numpy.ndarray
            Calibrated probabilities (n, k) float64 of all cells, columns in the order of `classes_`.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> adata = cgc.datasets.tissue(60, random_state=0).adata()
        >>> cgc.gr.contact_graph(adata)
        >>> base = cgc.models.CellGraphCLR(n_steps=2, progress=False).fit(adata)
        >>> model = cgc.models.CellGraphClassifier(base, n_steps=2, calibrate=False, progress=False).fit(adata, "true_niche")
        >>> model.predict_proba(adata).shape == (adata.n_obs, len(model.classes_))
        True
        """
        from scipy.special import softmax

        state = self._fitted()
        material = self.base.graph_tensors(data, **{**state.about["keys"], **keys})
        logits = self._logits(state.networks, material, np.arange(len(material[0])))
        check_finite(logits, what="logits", remedy=OVERFLOWN)
        return softmax(logits / self.calibration_temperature_, axis=1)

    def predict(self, data: AnnData, **keys: Any) -> np.ndarray:
        """Return the most probable class (n,) of all cells.

        Parameters
        ----------
        data : AnnData
            Cells with features and a graph.
        **keys : object
            As in `fit`.

        Returns
        -------
        numpy.ndarray
            The most probable class (n,) of all cells.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> adata = cgc.datasets.tissue(60, random_state=0).adata()
        >>> cgc.gr.contact_graph(adata)
        >>> base = cgc.models.CellGraphCLR(n_steps=2, progress=False).fit(adata)
        >>> model = cgc.models.CellGraphClassifier(base, n_steps=2, calibrate=False, progress=False).fit(adata, "true_niche")
        >>> len(model.predict(adata)) == adata.n_obs
        True
        """
        best = self.predict_proba(data, **keys).argmax(axis=1)
        return self.classes_[best]

    def _new_networks(self, about: Mapping[str, Any]) -> dict[str, nn.Module]:
        n_in, n_out = about["sizes"]
        head = new_head(self.config.head, n_in + n_out, len(about["classes"]))
        return {
            "encoder": deepcopy(self.base.encoder()),
            "head": HeadBeside(head, torch.zeros(n_out), torch.ones(n_out)),
        }

    def _moments(self, material: tuple[Tensor, csr_matrix, Tensor | None]) -> tuple[Tensor, Tensor]:
        """Return mean and spread (d,) of what the base gives of all cells."""
        h = self.base.embed_tensors(*material, curve=np.arange(len(material[0])))
        mean, scale = column_moments(h)
        return torch.from_numpy(mean), torch.from_numpy(scale)

    def _logits(self, networks: Mapping[str, nn.Module], material: Any, rows: np.ndarray) -> np.ndarray:
        """Return the logits (r, k) float64 of some cells, exact, in tiles with their halo."""
        device = next(networks["head"].parameters()).device
        parts = []
        for start in range(0, len(rows), TILE):
            part = neighbourhood(material, rows[start : start + TILE], self.base.config.n_layers)
            with torch.inference_mode():
                h = encode(networks["encoder"], part.x, part.adjacency, part.edge_attr, device)
                parts.append(networks["head"](part.x[part.core].to(device), h[part.core.to(device)]).double().cpu())
        return torch.cat(parts).numpy()
