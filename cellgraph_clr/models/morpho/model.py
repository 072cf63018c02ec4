"""`MorphoFeatures`: shape and texture of cells and nuclei, learned from labels and images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cellgraph_clr._core.checks import check_finite, expected
from cellgraph_clr._core.errors import NoCellsError, OptionError, ShapeError
from cellgraph_clr._core.rng import as_seed
from cellgraph_clr.models.morpho.config import MorphoFeaturesConfig
from cellgraph_clr.models.morpho.data import COMPARTMENTS, as_pictures, compartments
from cellgraph_clr.models.morpho.groups import CodeGroup
from cellgraph_clr.models.morpho.networks import new_networks
from cellgraph_clr.training.recipe import Fitted, Recipe, run_digest
from cellgraph_clr.training.run import Trained, Watch, Watches, train
from cellgraph_clr.training.saved import OVERFLOWN, check_form

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from torch import nn

    from cellgraph_clr.models.morpho.data import Compartment

__all__ = ["MorphoFeatures"]

BLOCK = 512  # cells whose inputs are held at a time when codes are read

TEXTURE = {"resolution": float, "moments": [[float]]}  # of what groups of crops learned from


class MorphoFeatures(Recipe[MorphoFeaturesConfig]):
    """Learned shape and texture of cells, and of their nuclei where these are known.

    Up to six groups of features: {cell, nucleus} x {shape, coarse, fine}. Each is the code of a network of its own, trained
    without labels: two views of a cell (other points on its surface, bent and scaled; its crop turned and distorted; another
    patch of it) are told from the other cells by InfoNCE, and crops are rebuilt from their code. Codes of shape do not change
    with pose or size, codes of texture see crops at a stated physical resolution.

    Parameters
    ----------
    random_state : int, numpy.random.Generator or None, default 0
        Seed of everything random.
    device : str, default "auto"
        "auto" (GPU when there is one), "cpu", "cuda", ….
    precision : str, default "32"
        "32", or "bf16" for products of networks in training; views and losses stay in float32.
    num_workers : int, default 0
        Processes that draw batches ahead; 0 draws them in between. The result is the same.
    progress : bool or None, default None
        Show a bar; None shows it on terminals and in notebooks.
    **config
        Fields of `MorphoFeaturesConfig`; an unknown one raises `OptionError`.

    Attributes
    ----------
    config
        `MorphoFeaturesConfig`.
    groups_ : list of str
        Names of the groups that were learned, e.g. "cell_shape".
    missing_ : dict of str to str
        Groups left out, and why.
    history_
        Group -> figure -> one value a step: loss (nats), alignment, uniformity, effective_rank, reconstruction.

    Notes
    -----
    A cell cut by the border of the image, or of fewer than 8 voxels, is not learned from, but gets its features. Cells without
    a nucleus have NaN in the groups of nuclei. Memory: per cell and group 96 n_points bytes of surface or 2 (c + 1) k size^d
    of crops; labels and image are read box by box.

    References
    ----------
    Zinchenko et al. 2023, eLife 12:e80918 (MorphoFeatures).

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> cells = cgc.datasets.shapes(12, random_state=0).image
    >>> model = cgc.models.MorphoFeatures(kinds=("shape",), n_steps=2, n_features=4, n_points=64, progress=False).fit(cells)
    >>> model.groups_
    ['cell_shape']
    """

    config_class = MorphoFeaturesConfig
    about_form = {"groups": {str: {"ndim": int, "n_channels": int}}, "missing": {str: str}}  # noqa: RUF012 - never changed

    @property
    def groups_(self) -> list[str]:
        """Names of the groups that were learned.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> cells = cgc.datasets.shapes(8, random_state=0).image
        >>> model = cgc.models.MorphoFeatures(kinds=("shape",), n_steps=2, n_features=4, n_points=32, progress=False)
        >>> model.fit(cells).groups_
        ['cell_shape']
        """
        return [] if self._state is None else list(self._state.networks)

    @property
    def missing_(self) -> dict[str, str]:
        """Groups left out, and why.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> cells = cgc.datasets.shapes(8, random_state=0).image
        >>> model = cgc.models.MorphoFeatures(kinds=("shape",), n_steps=2, n_features=4, n_points=32, progress=False)
        >>> model.fit(cells).missing_
        {'nucleus_shape': 'no nuclei'}
        """
        return {} if self._state is None else dict(self._state.about["missing"])

    def fit(
        self,
        labels: Any,
        image: Any | None = None,
        nuclei: Any | None = None,
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 100,
        callbacks: Sequence[Any] = (),
        logger: Any = None,
    ) -> Self:
        """Learn from labels, and return self.

        Parameters
        ----------
        labels : object
            `LabelImage` (`cgc.read_labels`) or label array, 2D or 3D, in memory or in chunks; or a list of them, of one
            dimension and the same channels, that are learned from together.
        image : object or None, default None
            (c, [z,] y, x) or ([z,] y, x) intensities; None takes those of `labels`. Without any, texture is left out. A
            list for a list of labels.
        nuclei : object or None, default None
            Labels of nuclei on the same grid, in memory. A list for a list of labels.
        checkpoint : str or path-like or None, default None
            Folder that runs are saved to, one file a group; a killed run goes on from it. None saves nothing.
        checkpoint_every : int, default 100
            Steps between two savings.
        callbacks : sequence of object, default ()
            Of Lightning, for the run of every group; the figures of `history_` are logged at every step.
        logger : object, default None
            Of Lightning, for the run of every group; the figures of `history_` are logged at every step.

        Returns
        -------
        Self
            The fitted model.

        Raises
        ------
        NoCellsError
            If no two cells can be learned from.
        LabelImageError, ShapeError
            For bad labels, or images and nuclei on another grid.
        OptionError
            If every kind asked for needs an image and there is none.
        NonFiniteError, ModelFileError
            When the loss stops being finite; for a checkpoint of another run.
        KeyboardInterrupt, SystemExit
            When it is interrupted, or asked to end by SIGTERM; the model is then as it was before.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> cells = cgc.datasets.shapes(8, random_state=0).image
        >>> model = cgc.models.MorphoFeatures(kinds=("shape",), n_steps=2, n_features=4, n_points=32, progress=False).fit(cells)
        >>> len(model.history_["cell_shape"]["loss"])  # one value a step
        2
        """
        watches = Watches(checkpoint, checkpoint_every, callbacks, logger)
        pictures = as_pictures(labels, image, nuclei)
        parts = [compartments(picture, inside) for picture, inside in pictures]
        seed = as_seed(self.random_state)
        missing = {f"nucleus_{kind}": "no nuclei" for kind in self.config.kinds} if nuclei is None else {}
        networks: dict[str, nn.Module] = {}
        history: dict[str, dict[str, list[float]]] = {}
        about: dict[str, dict[str, Any]] = {}
        for same in zip(*parts, strict=True):
            learned = [(part, np.flatnonzero(part.learnable)) for part in same]
            n_learned = sum(len(rows) for _, rows in learned)
            for kind in self.config.kinds:
                name = f"{same[0].name}_{kind}"
                if kind != "shape" and pictures[0][0].image is None:
                    missing[name] = "no image"
                    continue
                if n_learned < 2:
                    found = f"{n_learned} of {same[0].name} whole and large enough"
                    raise NoCellsError(expected("two cells to learn from", found, "Use a larger image."))
                trained, about[name] = self._learned(CodeGroup(name, self.config, seed), learned, watches.named(name))
                networks[name], history[name] = trained.networks["encoder"], trained.history
        if not networks:
            raise OptionError(expected("an image for texture", "none", "Pass `image=` or `kinds=('shape',)`."))
        self._state = Fitted(networks, history, seed, {"groups": about, "missing": missing})
        return self

    def _learned(
        self, group: CodeGroup, parts: Sequence[tuple[Compartment, np.ndarray]], watch: Watch
    ) -> tuple[Trained, dict[str, Any]]:
        """Return the networks of a group, and what they were learned from."""
        task, about, arrays = group.task(parts)
        digest = run_digest([self._options(), group.seed, group.name, about], arrays) if watch.checkpoint else ""
        return train(
            task, self.runtime, watch, fingerprint=digest, options={**self._options(), "random_state": group.seed}
        ), about

    def transform(self, labels: Any, image: Any | None = None, nuclei: Any | None = None) -> pd.DataFrame:
        """Return the features of all cells of one image: a DataFrame by `cell_id`, columns "cell_shape_0", …, float32.

        Arguments as `fit`, of one image; `CellGraphError` before it, `ShapeError` for images of other dimension or channels.
        Cells without a nucleus have NaN in its groups. In blocks of 512 cells.

        Parameters
        ----------
        labels : object
            As in `fit`.
        image : object or None, default None
            As in `fit`.
        nuclei : object or None, default None
            As in `fit`.

        Returns
        -------
        pandas.DataFrame
            The features of all cells of one image.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> cells = cgc.datasets.shapes(8, random_state=0).image
        >>> model = cgc.models.MorphoFeatures(kinds=("shape",), n_steps=2, n_features=4, n_points=32, progress=False).fit(cells)
        >>> list(model.transform(cells))
        ['cell_shape_0', 'cell_shape_1', 'cell_shape_2', 'cell_shape_3']
        """
        import pandas as pd

        state = self._fitted()
        ((picture, inside), *more) = as_pictures(labels, image, nuclei)
        if more:
            found, remedy = f"{len(more) + 1}", "Call it for each: ids may repeat."
            raise ShapeError(expected("one label image", found, remedy))
        self._check_input(picture, inside)
        blocks: dict[str, np.ndarray] = {}
        parts = compartments(picture, inside)
        ids = parts[0].scan.cell_id
        for part in parts:
            has = np.flatnonzero(part.row >= 0)
            for name in self.groups_:
                if not name.startswith(part.name):
                    continue
                group = CodeGroup(name, self.config, state.seed, state.about["groups"][name])
                out = np.full((len(ids), self.config.n_features), np.nan, np.float32)
                for start in range(0, len(has), BLOCK):
                    rows = has[start : start + BLOCK]
                    out[rows] = group.codes(state.networks[name], part, rows)
                check_finite(out[has], what=f"codes of {name!r}", remedy=OVERFLOWN)
                blocks |= {f"{name}_{i}": out[:, i] for i in range(out.shape[1])}
        return pd.DataFrame(blocks, index=pd.Index(ids, name="cell_id"))

    def fit_transform(self, labels: Any, image: Any | None = None, nuclei: Any | None = None) -> pd.DataFrame:
        """Return `transform` of the image that was learned from.

        Parameters
        ----------
        labels : object
            As in `fit`.
        image : object or None, default None
            As in `fit`.
        nuclei : object or None, default None
            As in `fit`.

        Returns
        -------
        pandas.DataFrame
            `transform` of the image that was learned from.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> cells = cgc.datasets.shapes(8, random_state=0).image
        >>> model = cgc.models.MorphoFeatures(kinds=("shape",), n_steps=2, n_features=4, n_points=32, progress=False)
        >>> model.fit_transform(cells).shape
        (8, 4)
        """
        return self.fit(labels, image, nuclei).transform(labels, image, nuclei)

    def _new_networks(self, about: Mapping[str, Any]) -> dict[str, nn.Module]:
        names = [f"{part}_{kind}" for part in COMPARTMENTS for kind in self.config.kinds]
        groups = {name: about["groups"][name] for name in names if name in about["groups"]}
        for name, form in groups.items():
            check_form(form, {} if name.endswith("_shape") else TEXTURE, f"about.groups.{name}")
        return {
            name: new_networks(self.config, name.split("_")[1], form["ndim"], form["n_channels"])["encoder"]
            for name, form in groups.items()
        }

    def _check_input(self, picture: Any, nuclei: Any | None) -> None:
        channels = 0 if picture.image is None else picture.image.shape[0]
        for name, about in self._fitted().about["groups"].items():
            if about["ndim"] != picture.ndim:
                raise ShapeError(expected(f"labels in {about['ndim']}D", f"{picture.ndim}D", "Fit on such labels."))
            if not name.endswith("_shape") and about["n_channels"] != channels:
                remedy = "Pass the channels that were learned from."
                raise ShapeError(expected(f"an image of {about['n_channels']} channels", channels, remedy))
            if name.startswith("nucleus") and nuclei is None:
                raise ShapeError(expected("labels of nuclei", "none", "Pass `nuclei`, as in `fit`."))
