"""The public objects of the package, by the names that users type."""

import importlib
import inspect

PARTS = ("", "datasets", "gr", "im", "io", "losses", "losses.functional", "metrics", "models", "pl", "pp", "tl")


def public_objects():
    """Return name → object of every public function and class, and of the public methods that classes define here."""
    found, seen = {}, set()
    for part in PARTS:
        module = importlib.import_module(f"cellgraph_clr.{part}".rstrip("."))
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.ismodule(value) or not callable(value) or id(value) in seen:
                continue
            seen.add(id(value))
            full = f"{part}.{name}".lstrip(".")
            found[full] = value
            if inspect.isclass(value):
                found |= {f"{full}.{method}": member for method, member in _methods(value)}
    return found


def documented_objects():
    """Return name → object of `public_objects`, and of the public methods that classes inherit from those of the package."""
    found = public_objects()
    for value in [value for value in found.values() if inspect.isclass(value)]:
        for base in value.__mro__[1:]:
            if base.__module__.startswith("cellgraph_clr."):
                name = f"{base.__module__}.{base.__qualname__}".removeprefix("cellgraph_clr.")
                found |= {f"{name}.{method}": member for method, member in _methods(base) if base not in found.values()}
    return found


def _methods(made):
    """Yield the name and the object of every public method and property that a class defines."""
    for name, member in vars(made).items():
        if not name.startswith("_") and isinstance(member, (classmethod, staticmethod, property, type(_methods))):
            yield name, member


def source_name(name, value):
    """Return the dotted path at which numpydoc finds an object."""
    if "." in name and not (inspect.isclass(value) or inspect.isfunction(value)):
        owner, _, attribute = name.rpartition(".")
        if owner not in public_objects():  # inherited
            return f"cellgraph_clr.{name}"
        holder = public_objects()[owner]
        return f"{holder.__module__}.{holder.__qualname__}.{attribute}"
    return f"{value.__module__}.{value.__qualname__}"
