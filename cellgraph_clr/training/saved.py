"""What a file holds, checked before a model is made of it: fields, sizes, names, shapes, finite weights."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.modules.module import register_module_parameter_registration_hook

from cellgraph_clr._core.checks import expected, listing
from cellgraph_clr._core.errors import ModelFileError
from cellgraph_clr.training.weights import check_same_shapes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from torch import Tensor, nn

__all__ = [
    "DAMAGED",
    "FORMAT",
    "OVERFLOWN",
    "at_most",
    "below",
    "check_arrays",
    "check_form",
    "check_header",
    "check_moments",
    "check_networks",
    "header_below",
]

FORMAT = 2  # of saved models
OVERFLOWN = "The weights leave float32 on these data: fit the model again, on features of one scale."
FIELDS = {"config": dict, "seed": int, "about": dict, "history": dict, "networks": list, "models": dict}
DAMAGED = "It was damaged or changed: save the model again."


def check_header(header: Mapping[str, Any]) -> None:
    """Raise `ModelFileError` for a header of another version, or without one of its fields."""
    version = header.get("format")
    if version != FORMAT:
        remedy = "Fit the model again, or load it with the version that saved it."
        when = "a later" if isinstance(version, int) and version > FORMAT else "an earlier"
        raise ModelFileError(expected("a model of this version", f"one that {when} version saved", remedy))
    odd = [name for name, kind in FIELDS.items() if not isinstance(header.get(name), kind)]
    if not odd:
        odd += [] if all(isinstance(name, str) for name in header["networks"]) else ["networks"]
        odd += [] if 0 <= header["seed"] < 2**32 else ["seed"]
    if odd:
        raise ModelFileError(expected("a whole header", f"none or another {listing(odd)}", DAMAGED))


def check_form(value: Any, form: Any, where: str) -> None:
    """Raise `ModelFileError` unless a value of a header has a form.

    A form is a type (`float` takes whole numbers too, and is finite; `object` anything); ``[form]``, a list of such;
    ``{str: form}``, a mapping to such; or ``{name: form}``, a mapping that has these names, of such.
    """
    if isinstance(form, list):
        fits = isinstance(value, list)
        below = {f"{where}[{i}]": (v, form[0]) for i, v in enumerate(value)} if fits else {}
    elif isinstance(form, dict):
        any_name = str in form
        fits = isinstance(value, dict) and (any_name or form.keys() <= value.keys())
        wanted = dict.fromkeys(value, form[str]) if fits and any_name else form
        below = {f"{where}.{k}": (value[k], v) for k, v in wanted.items()} if fits else {}
    else:
        kinds = (int, float) if form is float else form
        fits = isinstance(value, kinds) and (form in (bool, object) or not isinstance(value, bool))
        fits = fits and (form is not float or (abs(value) < 2**63 and math.isfinite(value)))
        below = {}
    if not fits:
        raise ModelFileError(expected(f"`{where}` as a model keeps it", f"{value!r:.60}", DAMAGED))
    for name, (inner, wanted) in below.items():
        check_form(inner, wanted, name)


def check_arrays(
    arrays: Mapping[str, np.ndarray],
    axes: Mapping[str, Sequence[str | None]],
    sizes: Mapping[str, int],
    above_zero: Sequence[str],
) -> None:
    """Raise `ModelFileError` for arrays that are not finite, not above 0 though they are to be, or of another shape than is said.

    `axes` names the axes of arrays; those that `sizes` knows have that length.
    """
    odd = []
    for key, array in arrays.items():
        named = axes.get(key, [None] * array.ndim)
        fits = array.ndim == len(named) and all(
            sizes.get(a or "", n) == n for a, n in zip(named, array.shape, strict=True)
        )
        low = 0 if key in above_zero else -np.inf
        if not fits or not np.isfinite(array).all() or not (array > low).all():
            odd.append(key)
    if odd:
        raise ModelFileError(
            expected("finite arrays of a model, with their axes", f"others in {listing(odd)}", DAMAGED)
        )


def check_moments(states: Sequence[Any], parameters: Iterable[Tensor]) -> None:
    """Raise `ModelFileError` unless what optimisers kept has the shapes of weights."""
    shapes = {tuple(p.shape) for p in parameters}
    try:
        kept = [v for state in states for one in state["state"].values() for v in one.values()]
        tensors = [v for v in kept if isinstance(v, torch.Tensor)]
        odd: list[Any] = [tuple(v.shape) for v in tensors if v.ndim and tuple(v.shape) not in shapes]
        odd += [v.dtype for v in tensors if not v.is_floating_point()]
    except (AttributeError, KeyError, TypeError) as error:
        raise ModelFileError(expected("the state of an optimizer", f"another ({error})", DAMAGED)) from error
    if odd:
        raise ModelFileError(expected("the state of an optimizer of these weights", listing(odd), DAMAGED))


def header_below(header: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the header of a model inside another. Raises `ModelFileError` where it is missing."""
    inner = header["models"].get(name)
    if not isinstance(inner, dict):
        raise ModelFileError(expected(f"the model `{name}` in the file", "none", DAMAGED))
    return inner


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names start with ``prefix.``, by the rest of their names."""
    return {k.removeprefix(f"{prefix}."): v for k, v in tensors.items() if k.startswith(f"{prefix}.")}


@contextmanager
def at_most(n_weights: int) -> Iterator[None]:
    """Raise `ModelFileError` when networks come to have more weights than a file holds: their number is bounded before work."""
    left = n_weights

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise ModelFileError(expected(f"networks of at most {n_weights} tensors", "larger ones", DAMAGED))

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def check_networks(
    weights: Mapping[str, Mapping[str, Tensor]], networks: Mapping[str, nn.Module], *, optional: Collection[str]
) -> None:
    """Raise `ModelFileError` unless weights by network are finite and those of `networks`; a file may lack `optional` ones."""
    differ = sorted((weights.keys() ^ networks.keys()) - (set(optional) - weights.keys()))
    if differ:
        raise ModelFileError(
            expected(f"the networks {listing(sorted(networks))}", f"others: {listing(differ)}", DAMAGED)
        )
    for name, mine in weights.items():
        remedy = "Pass the object that it was made with."
        check_same_shapes(mine, networks[name].state_dict(), what=f"`{name}`", remedy=remedy)
        bad = [k for k, v in mine.items() if v.is_floating_point() and not v.isfinite().all()]
        if bad:
            raise ModelFileError(expected(f"finite weights of `{name}`", f"NaN or infinity in {listing(bad)}", DAMAGED))
