"""Signatures of Python functions, read from their source: no module is imported, so that `--help` answers at once."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["MISSING", "Parameter", "parameters_of"]

ROOT = Path(__file__).parents[1]
MISSING = ""  # default of what has none
CLOSED = ("Isolates",)  # aliases of closed sets of values


class Parameter(NamedTuple):
    """An option of a function, or a field of a configuration, as its source says."""

    name: str
    annotation: str
    default: str  # as code, `MISSING` where there is none
    help: str


@cache
def parameters_of(dotted: str) -> tuple[Parameter, ...]:
    """Return the parameters of a public function or class, or the fields of a configuration, such as "tl.embed".

    Names of constants as defaults, and of closed sets as annotations, are replaced by their values. `*args` and `**options` are
    left out.
    """
    *parts, name = dotted.split(".")
    path, found = _definition(ROOT.joinpath(*parts), name)
    names = _constants(path)
    if isinstance(found, ast.FunctionDef):
        return _arguments(found, ast.get_docstring(found) or "", names)
    makers = [n for n in found.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    if makers:
        return _arguments(makers[0], ast.get_docstring(found) or "", names)
    return _fields(found, ast.get_docstring(found) or "", names)


def _definition(place: Path, name: str) -> tuple[Path, ast.FunctionDef | ast.ClassDef]:
    """Return the file and the definition of a name that a module or package makes public."""
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    tree = _tree(path)
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            return path, node
        if isinstance(node, ast.ImportFrom) and node.module and any(a.name == name for a in node.names):
            return _definition(ROOT.parent.joinpath(*node.module.split(".")), name)
    for inner in ast.walk(tree):  # what `lazy_loader` attaches: module -> names
        if isinstance(inner, ast.keyword) and inner.arg == "submod_attrs":
            for module, names in ast.literal_eval(inner.value).items():
                if name in names:
                    return _definition(path.parent.joinpath(*module.split(".")), name)
    raise LookupError(f"{name} in {path}")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _constants(path: Path) -> dict[str, str]:
    """Return {name: code} of the constants that a module defines, or imports from this package."""
    out = {}
    for node in _tree(path).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            out[node.targets[0].id] = ast.unparse(node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id in CLOSED:
            out[node.target.id] = _code(node.value, {})
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cellgraph_clr."):
            wanted = [a.name for a in node.names if a.name.isupper() or a.name in CLOSED]
            if wanted:
                inner = _constants(ROOT.parent.joinpath(*str(node.module).split(".")).with_suffix(".py"))
                out |= {n: inner[n] for n in wanted if n in inner}
    return out


def _code(node: ast.expr | None, names: dict[str, str]) -> str:
    code = MISSING if node is None else ast.unparse(node)
    return names.get(code, code)


def _arguments(made: ast.FunctionDef, doc: str, names: dict[str, str]) -> tuple[Parameter, ...]:
    told = _told(doc)
    given = [a for a in (*made.args.posonlyargs, *made.args.args) if a.arg not in ("self", "cls")]
    defaults = [None] * (len(given) - len(made.args.defaults)) + list(made.args.defaults)
    pairs = [*zip(given, defaults, strict=True), *zip(made.args.kwonlyargs, made.args.kw_defaults, strict=True)]
    return tuple(
        Parameter(
            a.arg, "" if a.annotation is None else _code(a.annotation, names), _code(d, names), told.get(a.arg, "")
        )
        for a, d in pairs
    )


def _fields(made: ast.ClassDef, doc: str, names: dict[str, str]) -> tuple[Parameter, ...]:
    told = _told(doc)
    return tuple(
        Parameter(n.target.id, ast.unparse(n.annotation), _code(n.value, names), told.get(n.target.id, ""))
        for n in made.body
        if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
    )


def _told(doc: str) -> dict[str, str]:
    """Return the first sentence on every parameter of a docstring in numpydoc's form."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", doc, flags=re.MULTILINE | re.DOTALL)
    out: dict[str, str] = {}
    for names, text in re.findall(
        r"^(\S[^\n]*?) : [^\n]*\n((?:(?: [^\n]*)?\n?)*)", section[1] if section else "", re.MULTILINE
    ):
        out |= {name.strip(): _first(text) for name in names.split(",")}
    return out


def _first(text: str) -> str:
    """Return the first sentence, without marks of code."""
    words = " ".join(text.split()).replace("``", "").replace("`", "")
    for end in re.finditer(r"(?<=[^.]{2})\. (?=[A-Z\"])|(?<=[\w)\"]); |(?<=[^.]{2})\.$", words):
        if words.count("(", 0, end.start()) == words.count(")", 0, end.start()):
            return words[: end.start()]
    return words
