"""Docstrings as numpydoc reads them: parameters, returns, examples; and results as signatures say them."""

import inspect
import re
from collections.abc import Callable

import pytest

from tests.docs.public import documented_objects, source_name

CODES = ("PR", "RT", "YD", "EX")
SAID = {"Any": "object", "Callable": "callable", "Mapping": "mapping", "Sequence": "sequence"}


@pytest.mark.filterwarnings("ignore:Unknown section")
def test_docstrings_are_numpydoc():
    validate = pytest.importorskip(
        "numpydoc.validate", reason="numpydoc is not installed: pip install '.[docs]'"
    ).validate
    found = [
        f"{name}: {code} {text}"
        for name, value in documented_objects().items()
        for code, text in validate(source_name(name, value))["errors"]
        if code.startswith(CODES)
    ]
    assert not found, "\n".join(found)


def parts_of(annotation, sign="|"):
    """Return the parts of an annotation that a sign joins."""
    out, depth = [""], 0
    for letter in annotation:
        depth += (letter in "[(") - (letter in "])")
        if letter == sign and depth == 0:
            out.append("")
        else:
            out[-1] += letter
    return [part.strip() for part in out]


def in_words(annotation):
    """Return how a docstring says an annotation, without the modules of its classes: "list[np.ndarray]", list of ndarray."""
    alternatives = parts_of(annotation)
    if len(alternatives) > 1:
        return " or ".join(in_words(part) for part in alternatives)
    name, _, inside = annotation.partition("[")
    name = name.rsplit(".", 1)[-1]
    if not inside:
        return SAID.get(name, name)
    inner = [in_words(part) for part in parts_of(inside.removesuffix("]"), ",")]
    return f"{name} of {(' to ' if name == 'dict' else ', ').join(inner)}"


def results():
    """Return (name, annotation, what the docstring says) of every public function and method."""
    for name, value in documented_objects().items():
        made = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if isinstance(made, Callable) and not inspect.isclass(made):
            doc = inspect.getdoc(made) or ""
            section = re.search(r"^(?:Returns|Yields)\n-+\n([^\n]*)\n    \S", doc, flags=re.MULTILINE)
            yield name, value, str(inspect.signature(made).return_annotation), section[1] if section else None


def test_what_comes_back_is_annotated_and_told():
    """Properties are told by their first line; tensors by their shape."""
    wrong = []
    for name, value, annotation, said in results():
        told = None if said is None else re.sub(r"\b(?:[a-z_]\w*\.)+(?=\w)", "", said)
        if annotation == str(inspect.Signature.empty):
            wrong.append(f"{name} has no annotation of what comes back")
        elif isinstance(value, property) or (annotation == "None" and told is None):
            continue
        elif annotation == "Tensor":
            if told != "Tensor" and not re.fullmatch(r"\([a-z, ]*\) float tensor", told or ""):
                wrong.append(f"{name} returns a tensor, the docstring says {said}")
        elif told != in_words(annotation) and not (annotation == "Self" and told == name.split(".")[-2]):
            wrong.append(f"{name} returns {annotation}, the docstring says {said}")
    assert not wrong, "\n".join(wrong)


def test_words_of_annotations():
    said = {
        "pd.DataFrame | None": "DataFrame or None",
        "tuple[np.ndarray, dict[str, Any]]": "tuple of ndarray, dict of str to object",
        "Axes | list[Axes]": "Axes or list of Axes",
    }
    assert {annotation: in_words(annotation) for annotation in said} == said


def test_functions_that_copy_return_what_they_changed_or_none():
    """`copy=True` returns the new AnnData, else the one that was given holds the result."""
    functions = [(n, v, a) for n, v, a, _ in results() if inspect.isfunction(v)]
    found = {n: a for n, value, a in functions if "copy" in inspect.signature(value).parameters}
    assert len(found) > 15
    assert [name for name, annotation in found.items() if not annotation.endswith(" | None")] == []
