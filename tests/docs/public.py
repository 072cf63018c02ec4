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
                for method, member in vars(value).items():
                    if not method.startswith("_") and isinstance(
                        member, (classmethod, staticmethod, property, type(public_objects))
                    ):
                        found[f"{full}.{method}"] = member
    return found


def source_name(name, value):
    """Return the dotted path at which numpydoc finds an object."""
    if "." in name and not (inspect.isclass(value) or inspect.isfunction(value)):
        owner, _, attribute = name.rpartition(".")
        holder = public_objects()[owner]
        return f"{holder.__module__}.{holder.__qualname__}.{attribute}"
    return f"{value.__module__}.{value.__qualname__}"
