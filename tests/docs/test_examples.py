"""The examples in the docstrings of public objects run."""

import doctest
import inspect
from importlib.util import find_spec

import matplotlib.pyplot as plt
import pytest

from tests.docs.public import documented_objects

EXTRAS = {"from_spatialdata": "spatialdata", "to_spatialdata": "spatialdata"}  # `make interop` runs these


def marks(name):
    """Return the marks of an example that needs a package that is not in this environment."""
    extra = EXTRAS.get(name)
    reason = f"{extra} is installed by `make interop` only"
    return [pytest.mark.skipif(find_spec(extra) is None, reason=reason)] if extra else []


def examples():
    """Return the doctests of every public object that has some."""
    finder = doctest.DocTestFinder(recurse=False)
    found = []
    for name, value in documented_objects().items():
        value = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        text = inspect.getdoc(value) or ""
        if ">>>" in text and not name.startswith("losses"):  # those are run by tests/losses/test_examples.py
            found += [pytest.param(test, id=name, marks=marks(name)) for test in finder.find(value, name, globs={})]
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("test", examples())
def test_example_runs(test, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    runner.run(test, out=said.append)
    plt.close("all")
    assert runner.failures == 0, "".join(said)
