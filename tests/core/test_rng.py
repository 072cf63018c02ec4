"""Seeds: numbers as they are, generators drawn from, anything else named."""

import numpy as np
import pytest

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.rng import as_rng, as_seed


def test_seeds_and_generators():
    assert [as_seed(0), as_seed(np.uint32(2**32 - 1))] == [0, 2**32 - 1]
    rng = np.random.default_rng(1)
    assert as_rng(rng) is rng
    assert as_seed(np.random.default_rng(1)) == as_seed(rng) != as_seed(rng)
    assert as_rng(5).integers(100) == np.random.default_rng(5).integers(100)
    assert 0 <= as_seed(None) < 2**31


@pytest.mark.parametrize("wrong", ["a", 1.5, -1, 2**32, [1], np.random.RandomState(0)])
@pytest.mark.parametrize("function", [as_seed, as_rng])
def test_anything_else_is_named(function, wrong):
    with pytest.raises(OptionError, match="`random_state` as a whole number"):
        function(wrong)
