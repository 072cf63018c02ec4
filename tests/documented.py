"""Calls of the package in texts (README, remedies of messages): do their names and arguments exist?"""

import ast
import dataclasses
import inspect

import cellgraph_clr as cgc

# Functions that hand `**config` on, and the classes that take it.
CONFIG = {
    "tl.embed": ["CellGraphCLRConfig"],
    "tl.morpho_features": ["MorphoFeaturesConfig"],
    "tl.time_arrow": ["TimeArrowConfig"],
    "tl.profile": ["DeepInfoMaxConfig"],
    "tl.profile_cells": ["DeepInfoMaxConfig"],
    "tl.classify": ["SoftInfoNCEClassifier", "CalibratedTrees", "CellGraphClassifier"],
}


def resolve(dotted):
    """Return what a name such as "cgc.tl.embed" stands for."""
    value = cgc
    for part in dotted.removeprefix("cgc").removeprefix("cellgraph_clr").strip(".").split("."):
        value = getattr(value, part)
    return value


def options_of(name):
    """Return the names of the options of a class of `cgc.models`."""
    made = getattr(cgc.models, name)
    if dataclasses.is_dataclass(made):
        return {f.name for f in dataclasses.fields(made)}
    return set(inspect.signature(made).parameters)


def check_call(dotted, n_positional, keywords):
    """Raise unless the function exists and takes these arguments (`None` among the keywords: `**more`)."""
    made = resolve(dotted)
    given = [k for k in keywords if k is not None]
    signature = inspect.signature(made)
    signature.bind(*[None] * n_positional, **dict.fromkeys(given))
    classes = CONFIG.get(dotted.split(".", 1)[1], [])
    named = set(signature.parameters)
    more = [k for k in given if k not in named]
    known = set().union(*(options_of(c) for c in classes))
    assert not more or not classes or set(more) <= known, f"{dotted} has no option {sorted(set(more) - known)}"


def dotted_name(node):
    """Return "a.b.c" for such an expression, else None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted_name(node.value)
        return f"{owner}.{node.attr}" if owner else None
    return None


def check_code(code):
    """Raise unless all names `cgc.…` in this code exist, and their calls have arguments that exist; return the names."""
    names = []
    tree = ast.parse(code)
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    inner = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    for node in ast.walk(tree):
        name = dotted_name(node.func if isinstance(node, ast.Call) else node)
        if name is None or not name.startswith("cgc.") or id(node) in called | inner:
            continue
        names.append(name)
        resolve(name)
        if isinstance(node, ast.Call):
            check_call(name, len(node.args), [k.arg for k in node.keywords])
    return names
