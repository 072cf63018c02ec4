"""Calls of the package in texts (README, remedies of messages): do their names and arguments exist?"""

import ast
import inspect

import cellgraph_clr as cgc


def resolve(dotted):
    """Return what a name such as "cgc.tl.embed" stands for."""
    value = cgc
    for part in dotted.removeprefix("cgc").removeprefix("cellgraph_clr").strip(".").split("."):
        value = getattr(value, part)
    return value


def check_call(dotted, n_positional, keywords):
    """Raise unless the function exists and takes these arguments (`None` among the keywords: `**more`)."""
    given = [k for k in keywords if k is not None]
    inspect.signature(resolve(dotted)).bind(*[None] * n_positional, **dict.fromkeys(given))


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
