"""Docstrings as numpydoc reads them: parameters, returns, examples; what falls short is listed, and the list only shrinks."""

from functools import cache
from pathlib import Path

import pytest

from tests.docs.public import public_objects, source_name

LIST = Path(__file__).parent / "exceptions.txt"
CODES = ("PR", "RT", "YD", "EX")


def exceptions():
    """Return the pairs (object, code) that are known to fall short."""
    lines = [line.split("#")[0].split() for line in LIST.read_text().splitlines()]
    return {(name, code) for name, *codes in filter(None, lines) for code in codes}


@cache
def shortcomings():
    """Return the pairs (object, code) that numpydoc finds in the whole package."""
    validate = pytest.importorskip(
        "numpydoc.validate", reason="numpydoc is not installed: pip install '.[docs]'"
    ).validate
    found = set()
    for name, value in public_objects().items():
        for code, _ in validate(source_name(name, value))["errors"]:
            if code.startswith(CODES):
                found.add((name, code))
    return found


@pytest.mark.filterwarnings("ignore:Unknown section")
def test_docstrings_are_numpydoc():
    new = sorted(shortcomings() - exceptions())
    assert not new, f"numpydoc finds: {new}"


@pytest.mark.filterwarnings("ignore:Unknown section")
def test_the_list_of_exceptions_only_shrinks():
    mended = sorted(exceptions() - shortcomings())
    assert not mended, f"Take these out of {LIST.name}: {mended}"
    assert len(exceptions()) <= MOST


MOST = 97  # never more
