"""`Recipe`: what every learner is, written once: a frozen configuration, where it runs, what it learned, and its file."""

from __future__ import annotations

import hashlib
import inspect
import json
from copy import copy
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast

import numpy as np
import torch
from torch import nn

from cellgraph_clr._core.checks import check_key, expected
from cellgraph_clr._core.errors import CellGraphError, ModelFileError, OptionError
from cellgraph_clr._core.options import show_options
from cellgraph_clr._core.rng import as_seed
from cellgraph_clr.training.devices import seeded, usable_device
from cellgraph_clr.training.objects import Absent, identity, is_object, name_of, plain, with_objects
from cellgraph_clr.training.runtime import Runtime
from cellgraph_clr.training.saved import (
    DAMAGED,
    FORMAT,
    at_most,
    below,
    check_arrays,
    check_form,
    check_header,
    check_networks,
    header_below,
)
from cellgraph_clr.training.weights import load_weights, save_weights

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from cellgraph_clr._core.rng import RandomState

__all__ = ["Fitted", "Learner", "Recipe", "config_of", "options_of", "run_digest"]

Config = TypeVar("Config")
ROOM = 1000  # weights that are built beside those of a file (decoders that are thrown away) before it is refused


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What a learner learned, which it holds as one value.

    Parameters
    ----------
    networks : mapping of str to torch.nn.Module
        By name, in evaluation mode.
    history : mapping of str to object
        Figure -> one value a step (nested where there are several runs).
    seed : int
        That was used.
    about : mapping of str to object
        What was learned from, as JSON holds it.
    arrays : mapping of str to numpy.ndarray
        Numbers learned beside the networks.
    options : mapping of str to object
        Of the constructor, where they can change after the fit.
    """

    networks: Mapping[str, nn.Module]
    history: Mapping[str, Any]
    seed: int
    about: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


class Learner:
    """What was learned, and its file.

    A subclass takes `random_state`, `device` and its options, gives `_options` and `_new_networks`, and assigns `_state` once, at
    the end of `fit`.
    """

    models: ClassVar[
        Mapping[str, type[Learner]]
    ] = {}  # fitted models that the constructor takes first, saved in the same file
    about_form: ClassVar[Mapping[str, Any]] = {}  # of what `Fitted.about` holds, see `check_form`
    # of `Fitted.arrays`, each axis an entry of `about` or an option that says how long it is, or None
    array_axes: ClassVar[Mapping[str, Sequence[str | None]]] = {}
    arrays_above_zero: ClassVar[Sequence[str]] = ()
    objects_for_fit: ClassVar[Collection[str]] = ()  # options whose objects a fitted model can do without
    _state: Fitted | None = None

    @property
    def history_(self) -> dict[str, Any]:
        """Figure -> one value a step; empty before `fit`.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> X, y = np.arange(12.0)[:, None], np.array(["small"] * 6 + ["large"] * 6)
        >>> model = cgc.models.SoftInfoNCEClassifier(n_steps=3, calibrate=False, progress=False).fit(X, y)
        >>> {figure: len(values) for figure, values in model.history_.items()}
        {'loss': 3}
        """
        return {} if self._state is None else dict(self._state.history)

    @property
    def seed_(self) -> int:
        """The integer seed that `fit` used.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> X, y = np.arange(12.0)[:, None], np.array(["small"] * 6 + ["large"] * 6)
        >>> cgc.models.SoftInfoNCEClassifier(n_steps=3, random_state=7, calibrate=False, progress=False).fit(X, y).seed_
        7
        """
        return 0 if self._state is None else self._state.seed

    @property
    def options(self) -> dict[str, Any]:
        """The options that made the model, as JSON holds them: objects of your own by their name.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> cgc.models.CellGraphCLR(n_dims=32).options["n_dims"]
        32
        """
        fitted = {} if self._state is None else self._state.options
        return {k: plain(v) for k, v in (fitted or self._options()).items()}

    def _options(self) -> dict[str, Any]:
        """Return the options of the constructor that make the model, JSON values or objects of the user's."""
        raise NotImplementedError

    def _new_networks(self, about: Mapping[str, Any]) -> Mapping[str, nn.Module]:
        """Return the networks of a fitted model, with any weights."""
        raise NotImplementedError

    def _fitted(self) -> Fitted:
        if self._state is None:
            raise CellGraphError(expected("a fitted model", "one that was not fitted", "Call `fit` or `load` first."))
        return self._state

    def _with(self, state: Fitted) -> Self:
        """Return a copy of the model that learned something else."""
        other = copy(self)
        other._state = state  # noqa: SLF001 - of the same class
        return other

    def network(self, name: str = "encoder") -> nn.Module:
        """Return a trained network, in evaluation mode. Raises `CellGraphError` before `fit`, `OptionError` for another name.

        Parameters
        ----------
        name : str, default "encoder"
            Name of the network; each system has its own.

        Returns
        -------
        torch.nn.Module
            The network itself, no copy.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> X, y = np.arange(12.0)[:, None], np.array(["small"] * 6 + ["large"] * 6)
        >>> model = cgc.models.SoftInfoNCEClassifier(n_steps=3, calibrate=False, progress=False).fit(X, y)
        >>> model.network("head").training  # in evaluation mode
        False
        """
        networks = self._fitted().networks
        check_key(name, list(networks), where="networks", error=OptionError)
        return networks[name]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one safetensors file (beside, then renamed). Raises `CellGraphError` before `fit`.

        Objects of your own (`encoder=`, …) are kept as weights and have to be given to `load` again, but for those that only
        `fit` needs (`objective=`, `augment=`).

        Parameters
        ----------
        path : str or path-like
            File to write; replaced if it is there.

        Examples
        --------
        >>> from pathlib import Path
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> X, y = np.arange(12.0)[:, None], np.array(["small"] * 6 + ["large"] * 6)
        >>> model = cgc.models.SoftInfoNCEClassifier(n_steps=3, calibrate=False, progress=False).fit(X, y)
        >>> model.save("types.safetensors")
        >>> Path("types.safetensors").exists()
        True
        """
        tensors, header = self.state()
        save_weights(path, tensors, header)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "auto", **objects: Any) -> Self:
        """Return a saved model.

        Parameters
        ----------
        path : str or path-like
            As `save` was given.
        device : str, default "auto"
            Where its networks are put.
        **objects : object
            The encoders, objectives, … of your own that it was made with, by the name of their option.

        Returns
        -------
        Self
            The fitted model.

        Raises
        ------
        MissingFileError, ModelFileError
            If there is no such file; it is truncated, of another class or version, or was made with an object not given.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> X, y = np.arange(12.0)[:, None], np.array(["small"] * 6 + ["large"] * 6)
        >>> model = cgc.models.SoftInfoNCEClassifier(n_steps=3, calibrate=False, progress=False).fit(X, y)
        >>> model.save("types.safetensors")
        >>> again = cgc.models.SoftInfoNCEClassifier.load("types.safetensors")
        >>> bool((again.predict(X) == model.predict(X)).all())
        True
        """
        return cls.from_state(*load_weights(path, cls.__name__), device=device, **objects)

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return the tensors and the JSON header that `from_state` takes. Raises `CellGraphError` before `fit`.

        Returns
        -------
        tuple of dict of str to torch.Tensor, dict of str to object
            Weights and arrays by name, and what the model is.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> X, y = np.arange(12.0)[:, None], np.array(["small"] * 6 + ["large"] * 6)
        >>> model = cgc.models.SoftInfoNCEClassifier(n_steps=3, calibrate=False, progress=False).fit(X, y)
        >>> tensors, header = model.state()
        >>> header["kind"], sorted(name for name in tensors if name.startswith("arrays"))
        ('SoftInfoNCEClassifier', ['arrays.class_prior', 'arrays.mean', 'arrays.scale'])
        """
        state = self._fitted()
        tensors = {f"{n}.{k}": v for n, network in state.networks.items() for k, v in network.state_dict().items()}
        tensors |= {f"arrays.{k}": torch.from_numpy(np.ascontiguousarray(v)) for k, v in state.arrays.items()}
        header: dict[str, Any] = {
            "kind": type(self).__name__,
            "format": FORMAT,
            "config": self.options,
            "seed": state.seed,
            "about": dict(state.about),
            "history": dict(state.history),
            "networks": list(state.networks),
            "models": {},
        }
        for name in self.models:
            inner, header["models"][name] = getattr(self, name).state()
            tensors |= {f"models.{name}.{k}": v for k, v in inner.items()}
        return tensors, header

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
        Self
            The fitted model.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> movie = cgc.datasets.event_movie(6, 8, side=64, random_state=0)
        >>> model = cgc.models.TimeArrow(n_features=4).untrained(movie)
        >>> again = cgc.models.TimeArrow.from_state(*model.state())
        >>> bool((again.dense(movie, 0) == model.dense(movie, 0)).all())
        True
        """
        check_header(header)
        check_form(header["about"], cls.about_form, "about")
        if "temperature" in cls.about_form and not header["about"]["temperature"] > 0:
            raise ModelFileError(expected("a temperature above 0", header["about"]["temperature"], DAMAGED))
        device = usable_device(device)
        inner = [
            kind.from_state(below(tensors, f"models.{name}"), header_below(header, name), device=device)
            for name, kind in cls.models.items()
        ]
        options = with_objects(header["config"], objects, for_fit=cls.objects_for_fit)
        try:
            maker: Any = cls
            model: Self = maker(*inner, random_state=header["seed"], device=device, **options)
            networks = model._saved_networks(tensors, header)
        except CellGraphError as error:
            if objects or isinstance(error, ModelFileError):
                raise
            raise ModelFileError(expected("the options of a model", f"others ({error})", DAMAGED)) from error
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, RuntimeError) as error:
            found = f"one that makes no network ({type(error).__name__}: {error})"
            raise ModelFileError(expected("a whole header", found, DAMAGED)) from error
        for network in networks.values():
            network.to(device).eval()
        arrays = {k: v.numpy() for k, v in below(tensors, "arrays").items()}
        known = {**options, **header["about"]}
        sizes = {k: v if isinstance(v, int) else len(v) for k, v in known.items() if isinstance(v, int | list)}
        check_arrays(arrays, cls.array_axes, sizes, cls.arrays_above_zero)
        return model._with(Fitted(networks, header["history"], header["seed"], header["about"], arrays))

    def _saved_networks(
        self, tensors: Mapping[str, torch.Tensor], header: Mapping[str, Any]
    ) -> Mapping[str, nn.Module]:
        """Return the networks of a file, with their weights, which are compared before a network is made."""
        about, options = header["about"], self._options()
        names = [name for name in header["networks"] if not isinstance(options.get(name), Absent)]
        weights, optional = {name: below(tensors, name) for name in names}, self.objects_for_fit
        if not any(is_object(v) for v in options.values()):  # the user's may do on the meta device what they like
            with torch.device("meta"), at_most(ROOM + 4 * len(tensors)):
                check_networks(weights, self._new_networks(about), optional=optional)
        with seeded(header["seed"]):
            networks = self._new_networks(about)
        check_networks(weights, networks, optional=optional)
        for name, mine in weights.items():
            networks[name].load_state_dict(mine)
        return {name: networks[name] for name in names}


class Recipe(Learner, Generic[Config]):
    """A learner with a frozen configuration: a subclass names its class, and writes `fit`, `_new_networks` and its use."""

    config_class: ClassVar[type]

    def __init_subclass__(cls, **more: Any) -> None:
        """Show the fields of the configuration in place of `**config`, in the signature and the docstring."""
        super().__init_subclass__(**more)
        of_init = inspect.signature(cls.__init__)
        without_self = of_init.replace(
            parameters=list(of_init.parameters.values())[1:], return_annotation=of_init.empty
        )
        show_options(cls, without_self, [cls.config_class])

    def __init__(
        self,
        *,
        random_state: RandomState = 0,
        device: str = "auto",
        precision: str = "32",
        num_workers: int = 0,
        progress: bool | None = None,
        **config: Any,
    ) -> None:
        self.runtime = Runtime(device=device, precision=precision, num_workers=num_workers, progress=progress)
        self.config = cast("Config", config_of(self.config_class, config))
        self.random_state = random_state

    @property
    def device(self) -> str:
        """Where it is trained: "auto", "cpu", "cuda", ….

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> cgc.models.CellGraphCLR(device="cpu").device
        'cpu'
        """
        return self.runtime.device

    def new_seed(self) -> int:
        """Return the seed of a fit: `random_state` where that is a number, else one drawn from it.

        Returns
        -------
        int
            The seed.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> cgc.models.CellGraphCLR(random_state=3).new_seed()
        3
        """
        return as_seed(self.random_state)

    def _options(self) -> dict[str, Any]:
        return options_of(self.config)

    def __repr__(self) -> str:
        """Return the constructor's form."""
        shown = [repr(getattr(self, name)) for name in self.models]
        shown += [f"{k}={name_of(v) if is_object(v) else repr(v)}" for k, v in self._options().items()]
        return f"{type(self).__name__}({', '.join(shown)})"


def config_of(kind: type[Config], options: Mapping[str, Any]) -> Config:
    """Return a configuration of named fields; raises `OptionError` for an unknown one, with the nearest known."""
    known = sorted(f.name for f in fields(kind))  # type: ignore[arg-type]
    for name in options:
        check_key(name, known, where=kind.__name__, error=OptionError)
    return kind(**{name: value.item() if isinstance(value, np.generic) else value for name, value in options.items()})


def options_of(config: Any) -> dict[str, Any]:
    """Return the fields of a configuration by name; unlike `dataclasses.asdict` it copies no object of the user's."""
    return {f.name: getattr(config, f.name) for f in fields(config)}


def run_digest(about: Any, arrays: Iterable[np.ndarray]) -> str:
    """Return a hash of what a run is (anything JSON can hold, in text form where it cannot) and of what it learns from."""
    digest = hashlib.sha256(json.dumps(about, default=lambda v: identity(v) if is_object(v) else str(v)).encode())
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
