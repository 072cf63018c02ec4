"""Names, defaults and orders of all public signatures: one name, one meaning, one default; other tools' names are answered."""

import dataclasses
import inspect
import re
from collections import defaultdict

import pytest

import cellgraph_clr as cgc
from cellgraph_clr._core.hints import OPTIONS as OTHER_OPTIONS
from cellgraph_clr._core.hints import OTHERS
from tests.docs.public import PARTS, public_objects
from tests.documented import resolve
from tests.face.names import DATA, DIFFER, MODELS, OPTIONS

BRITISH = re.compile(
    r"colour|grey|neighbour|centre|behaviour|favour|licence|catalogue|metre|labell|modell|cancell|[a-z]{3}(is|ys)(e|ed|ing|ation)s?$"
)
SAME_IN_BOTH = ("noise", "raise", "classwise")


def signatures():
    """Return name → (object, signature) of what users call."""
    found = {}
    for name, value in public_objects().items():
        made = getattr(value, "__func__", value)
        if isinstance(made, property) or (inspect.isclass(made) and issubclass(made, BaseException)):
            continue
        found[name] = made, inspect.signature(made)
    return found


def parameters():
    """Return option → {function: parameter}; private ones left out."""
    found = defaultdict(dict)
    for name, (_, signature) in signatures().items():
        for p in signature.parameters.values():
            if p.name not in ("self", "cls") and not p.name.startswith("_"):
                found[p.name][name] = p
    return found


def test_every_option_is_one_of_the_list():
    known = DATA | OPTIONS | MODELS
    fields = {"accuracy", "chance", "connectivities", "contact_area", "count", "distances", "glands", "mixing", "pixel"}
    fields |= {"read", "rgb", "shape", "split_score", "value"}  # of results
    used = parameters()
    assert sorted(set(used) - set(known) - fields) == []
    assert sorted(set(known) - set(used)) == []
    assert sorted((set(DATA) | set(OPTIONS)) & set(MODELS)) == []


def test_one_name_has_one_default():
    for option, by in parameters().items():
        found = {repr(p.default) for p in by.values() if p.default is not p.empty}
        if option in MODELS or len(found) < 2:
            assert option not in DIFFER
            continue
        assert option in DIFFER, f"`{option}` is {found}: {sorted(by)}"
        allowed, reason = DIFFER[option]
        assert reason
        assert allowed is None or found == allowed, f"`{option}` is {found}: {sorted(by)}"


def test_only_data_is_passed_by_position():
    found = [
        f"{name}({p.name})"
        for name, (made, signature) in signatures().items()
        if not dataclasses.is_dataclass(made) and not (inspect.isclass(made) and issubclass(made, tuple))
        for p in signature.parameters.values()
        if p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in ("self", "cls")
        if isinstance(p.default, bool)
        or (p.name not in DATA and not (name.startswith("losses.") and p.name == "temperature"))
    ]
    assert found == []


def test_names_are_american():
    words = set(parameters()) | {part for name in public_objects() for part in name.split(".")}
    for value in public_objects().values():
        if inspect.isclass(value):
            words |= {n for n in dir(value) if not n.startswith("_") and n in vars(value)}
        words |= set(re.findall(r"'([a-z_]+)'", str(getattr(value, "__annotations__", ""))))
    parts = {w for word in words for w in word.lower().split("_")}
    assert sorted(w for w in parts if BRITISH.search(w) and w not in SAME_IN_BOTH) == []
    assert BRITISH.search("normalised")
    assert BRITISH.search("labelled")


@pytest.mark.parametrize("part", sorted(OTHERS))
def test_names_of_other_tools_are_answered(part):
    module = resolve(part) if part != "cgc" else cgc
    for other, remedy in OTHERS[part].items():
        with pytest.raises(
            AttributeError, match=re.escape(f"`{part}` has no {other!r}. {remedy[0].upper()}{remedy[1:]}")
        ):
            getattr(module, other)
        for call in re.findall(r"`(cgc\.[\w.]+)`", remedy):
            assert callable(resolve(call))
        assert not hasattr(module, other)


def test_other_names_of_options_are_answered():
    with pytest.raises(TypeError, match="`knn_graph` has no option `n_neighs`. Did you mean `n_neighbors`?"):
        cgc.gr.knn_graph(None, n_neighs=3)
    with pytest.raises(TypeError, match="`key_aded`. Did you mean `key_added`?"):
        cgc.gr.knn_graph(None, key_aded="a")
    with pytest.raises(TypeError, match="missing"):
        cgc.gr.knn_graph()
    with pytest.raises(
        TypeError, match=r"by name, found a value without one. Write `radius_graph\(adata, radius=…\)`."
    ):
        cgc.gr.radius_graph(None, 300)
    with pytest.raises(TypeError, match=r"Write `retrieve\(adata, query, k=…\)`."):
        cgc.tl.retrieve(None, [1], 5)
    assert set(OTHER_OPTIONS.values()) <= set(parameters())


@pytest.mark.parametrize("part", PARTS)
def test_unknown_names_are_answered(part):
    module = resolve(part) if part else cgc
    with pytest.raises(AttributeError):
        getattr(module, "no_such_name")  # noqa: B009
    if part not in ("losses", "losses.functional"):
        some = sorted(module.__all__)[-1]
        with pytest.raises(AttributeError, match=f"Did you mean .*{some}`"):
            getattr(module, f"{some}_")
