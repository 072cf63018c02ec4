"""Configurations by name, and hashes of runs."""

from dataclasses import dataclass

import numpy as np
import pytest

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.training.recipe import config_of, run_digest


@dataclass(frozen=True)
class Some:
    """Two fields."""

    width: int = 3
    rate: float = 0.1


def test_options_become_a_configuration():
    assert config_of(Some, {"width": 5}) == Some(5, 0.1)
    with pytest.raises(OptionError, match="'widht' in `Some`"):
        config_of(Some, {"widht": 5})


def test_runs_differ_by_what_they_are_and_learn_from(rng):
    x = rng.normal(size=(3, 4))
    base = run_digest({"a": 1}, [x])
    assert base == run_digest({"a": 1}, [x.copy()])
    others = [run_digest({"a": 2}, [x]), run_digest({"a": 1}, [x.T]), run_digest({"a": 1}, [x.astype(np.float32)])]
    assert base not in others
