"""Objects of the user's among the options: networks built of them, what tells them apart, how files name them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from copy import deepcopy
from functools import partial
from types import CodeType, FunctionType
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from cellgraph_clr._core.checks import check_key, expected, listing
from cellgraph_clr._core.errors import ModelFileError, OptionError

__all__ = ["Absent", "as_text", "built", "identity", "is_object", "name_of", "plain", "with_objects"]

CUSTOM = "custom: "  # stands in a file for an object of the user's


def built(maker: Any, *sizes: Any, option: str) -> nn.Module:
    """Return the network of an object of the user's: a copy of a module, or what a callable makes of the sizes.

    Raises `OptionError` when it makes something else, or a network that cannot be trained in float32 and kept as tensors.
    """
    network = deepcopy(maker) if isinstance(maker, nn.Module) else maker(*sizes)
    if not isinstance(network, nn.Module):
        remedy = "Pass a module, or a callable that returns one."
        raise OptionError(expected(f"a torch module from `{option}`", type(network).__name__, remedy))
    state = network.state_dict()
    if any(is_lazy(v) for v in state.values()):
        remedy = "Make its layers with their sizes: a callable is given them."
        raise OptionError(expected(f"weights of known sizes in `{option}`", "a lazy module", remedy))
    odd = [k for k, v in state.items() if not isinstance(v, Tensor)]
    if odd:
        remedy = "Keep what it holds in parameters and buffers: files hold tensors alone."
        raise OptionError(expected(f"tensors in the state of `{option}`", listing(odd), remedy))
    dtypes = {str(p.dtype) for p in network.parameters()} - {"torch.float32"}
    if dtypes:
        remedy = "Make its weights float32; `precision='bf16'` multiplies in bfloat16."
        raise OptionError(expected(f"float32 weights in `{option}`", listing(sorted(dtypes)), remedy))
    return network


class Absent:
    """Stands for an object that only `fit` needs, where a model was loaded without it."""

    def __init__(self, option: str, name: str) -> None:
        self._option, self.__qualname__ = option, name

    def __call__(self, *_: Any, **__: Any) -> nn.Module:
        """Raise `OptionError`: it is not there."""
        remedy = f"Pass `{self._option}=` to `load`."
        raise OptionError(
            expected(f"`{self._option}` for a fit", f"a model loaded without {self.__qualname__}", remedy)
        )


def is_object(value: Any) -> bool:
    """Return whether an option is an object of the user's, not a name or a number."""
    return isinstance(value, nn.Module) or callable(value)


def identity(value: Any, _within: tuple[int, ...] = ()) -> str:
    """Return what tells a value from others, alike in every process: its code, its weights, what it was made with."""
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, np.generic)):
        return repr(value)
    if id(value) in _within:  # it holds itself
        return "…"
    return f"{type(value).__qualname__}{_parts(value, (*_within, id(value)))}"


def _parts(value: Any, within: tuple[int, ...]) -> str | list[str]:
    """Return the identities of what a value is made of."""
    if isinstance(value, Tensor):
        value = value.detach().cpu().double().numpy()
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}{hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()}"
    if isinstance(value, (set, frozenset)):
        return sorted(identity(v, within) for v in value)
    held: Any = value
    if isinstance(value, Mapping):
        held = [part for pair in value.items() for part in pair]
    elif isinstance(value, nn.Module):
        own = [{k: v for k, v in vars(m).items() if not k.startswith("_") and k != "training"} for m in value.modules()]
        held = [repr(value), dict(value.state_dict()), *own]
    elif isinstance(value, partial):
        held = [value.func, value.args, value.keywords]
    elif isinstance(value, CodeType):
        held = [value.co_code, value.co_names, value.co_consts]
    elif isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        held = [value.__qualname__, value.__code__, value.__defaults__, value.__kwdefaults__, cells]
    elif isinstance(value, type):
        held = [value.__qualname__, *(v for v in vars(value).values() if isinstance(v, FunctionType))]
    elif not isinstance(value, (list, tuple)):
        held = [getattr(value, "__qualname__", ""), getattr(value, "__dict__", {})]
    return [identity(part, within) for part in held]


def name_of(value: Any) -> str:
    """Return the name of an object's function or class."""
    return str(getattr(value, "__qualname__", type(value).__qualname__))


def as_text(options: Mapping[str, Any]) -> dict[str, str]:
    """Return options in words: numbers and text as Python writes them, objects of the user's by name and the start of a hash."""
    return {k: _words(v) for k, v in options.items()}


def _words(value: Any) -> str:
    if is_object(value):
        return f"{name_of(value)} ({hashlib.sha256(identity(value).encode()).hexdigest()[:8]})"
    return repr(value.item() if isinstance(value, np.generic) else value)


def plain(value: Any) -> Any:
    """Return an option as JSON holds it: numbers as Python's, objects of the user's by their name."""
    if is_object(value):
        return f"{CUSTOM}{name_of(value)}"
    return value.item() if isinstance(value, np.generic) else value


def with_objects(options: Mapping[str, Any], objects: Mapping[str, Any], *, for_fit: Collection[str]) -> dict[str, Any]:
    """Return saved options with the objects that stood for some of them; those `for_fit` alone may be `Absent`."""
    missing = {k: v for k, v in options.items() if isinstance(v, str) and v.startswith(CUSTOM)}
    for name in objects:
        check_key(name, sorted(missing), where="objects of the saved model", error=OptionError)
    not_given = {k: v.removeprefix(CUSTOM) for k, v in missing.items() if k not in objects}
    absent = [f"{k}={v}" for k, v in not_given.items() if k not in for_fit]
    if absent:
        found = "a file that holds their weights alone"
        raise ModelFileError(expected(f"the objects {listing(absent)}", found, "Pass them to `load` by these names."))
    return {**options, **{k: Absent(k, v) for k, v in not_given.items()}, **objects}
