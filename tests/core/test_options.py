"""What `**config` stands for is shown: in signatures, in docstrings, and by completion."""

import inspect
import subprocess
import sys
from dataclasses import dataclass

import pytest

import cellgraph_clr as cgc
from cellgraph_clr._core.options import entries_of, shows
from cellgraph_clr.models.classifiers.soft_infonce import RUN
from cellgraph_clr.tl.classifiers import OURS

HANDED_ON = {  # functions, and the classes whose options they hand on
    "embed": ["CellGraphCLR"],
    "morpho_features": ["MorphoFeatures"],
    "time_arrow": ["TimeArrow"],
    "profile": ["DeepInfoMax"],
    "profile_cells": ["DeepInfoMax"],
    "classify": ["CalibratedTrees", "SoftInfoNCEClassifier", "CellGraphClassifier"],
}


@dataclass
class Options:
    """Some.

    Parameters
    ----------
    width : int, default 3
        How wide.

        And why.
    n_steps : int, default 5
        How long.

    Notes
    -----
    Nothing.
    """

    width: int = 3
    n_steps: int = 5


@dataclass
class More:
    """More.

    Parameters
    ----------
    width : int, default 4
        Second to the first.
    device : str, default "cpu"
        Where.
    """

    width: int = 4
    device: str = "cpu"


@shows(Options, More, without=("device",), told={Options: "Told: "})
def function(data, *, n_steps=1, **config):
    """Return what is handed on.

    Parameters
    ----------
    data : int
        The data.
    n_steps : int, default 1
        Own.
    **config : object
        Of `Options`.
        On two lines.

    Returns
    -------
    dict
        All.
    """
    return config


def test_options_stand_in_place_of_what_is_handed_on():
    found = inspect.signature(function).parameters
    assert [(n, p.default) for n, p in found.items()] == [
        ("data", inspect.Parameter.empty),
        ("n_steps", 1),
        ("width", 3),
    ]
    assert found["width"].kind is inspect.Parameter.KEYWORD_ONLY
    text = (
        "n_steps : int, default 1\n    Own.\nwidth : int, default 3\n    Told: How wide.\n\n    And why.\n\nReturns\n"
    )
    assert text in function.__doc__
    assert function(1, width=9, other=2) == {"width": 9, "other": 2}  # called as before


def test_entries_are_those_of_parameters_alone():
    assert entries_of(Options.__doc__) == {
        "width": "width : int, default 3\n    How wide.\n\n    And why.\n",
        "n_steps": "n_steps : int, default 5\n    How long.\n",
    }
    assert entries_of(None) == entries_of("Some words.") == {}


@pytest.mark.parametrize("name", sorted(HANDED_ON))
def test_a_function_shows_all_options_of_its_classes_and_no_other(name):
    """`tests/docs/test_docstrings.py` holds that docstrings and signatures have the same names."""
    found = inspect.signature(getattr(cgc.tl, name)).parameters
    written = inspect.signature(inspect.unwrap(getattr(cgc.tl, name))).parameters
    known = set().union(*(inspect.signature(getattr(cgc.models, c)).parameters for c in HANDED_ON[name]))
    own = {*OURS, "base"} if name == "classify" else set()  # set by the function
    assert set(found) - set(written) == known - set(written) - own
    assert not any(p.kind is p.VAR_KEYWORD for p in found.values())


def test_classify_takes_what_it_shows():
    """By the lists that it checks options with."""
    trees, network = (set(getattr(cgc.models, c)().get_params()) for c in HANDED_ON["classify"][:2])
    fine_tuned = set(cgc.models.CellGraphClassifierConfig.__dataclass_fields__) | set(RUN)
    shown = set(inspect.signature(cgc.tl.classify).parameters)
    written = set(inspect.signature(inspect.unwrap(cgc.tl.classify)).parameters)
    assert shown - written == (trees | network | fine_tuned) - written - set(OURS)


@pytest.mark.parametrize("name", ["CellGraphCLR", "CellGraphClassifier", "DeepInfoMax", "EventClassifier", "TimeArrow"])
def test_learners_show_their_configuration(name):
    made, config = getattr(cgc.models, name), getattr(cgc.models, f"{name}Config")
    found = inspect.signature(made).parameters
    for field in inspect.signature(config).parameters.values():
        assert found[field.name].default == field.default
        assert entries_of(made.__doc__)[field.name] == entries_of(config.__doc__)[field.name]


def test_a_learner_of_a_user_shows_its_own():
    from cellgraph_clr.training import Recipe

    class Mine(Recipe):
        config_class = Options

    class Other(Mine):
        def __init__(self, first, **more):
            super().__init__(**more)

    assert {"device", "width", "n_steps"} <= set(inspect.signature(Mine).parameters)
    assert list(inspect.signature(Other).parameters) == ["first", "width", "n_steps"]


def test_options_of_the_estimator_are_those_of_its_configuration():
    from cellgraph_clr.models.classifiers import SoftInfoNCEConfig

    made = inspect.signature(cgc.models.SoftInfoNCEClassifier.__init__).parameters
    for p in inspect.signature(SoftInfoNCEConfig).parameters.values():
        assert made[p.name].default == p.default


def test_showing_them_needs_no_torch_and_no_docstrings():
    script = "import inspect, sys; import cellgraph_clr as cgc; print(inspect.signature(cgc.tl.classify)); "
    script += "print('torch' in sys.modules)"
    for flags in ((), ("-OO",)):
        command = [sys.executable, *flags, "-c", script]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "n_trees: 'int' = 500" in out
        assert out.endswith("False\n")
