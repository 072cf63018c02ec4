"""Messages, files, seeds, masked math."""

import numpy as np
import pytest
import torch

from cellgraph_clr import CellGraphError
from cellgraph_clr._core import checks, errors
from cellgraph_clr._core.files import existing_path, replacing
from cellgraph_clr._core.masked import masked_logsumexp
from cellgraph_clr._core.rng import as_rng, as_seed


def test_all_errors_are_value_errors_with_plain_messages():
    for name in errors.__all__:
        error = getattr(errors, name)("what is wrong")
        assert isinstance(error, ValueError)
        assert isinstance(error, CellGraphError)
        assert str(error) == "what is wrong"


def test_checks_accept_and_reject():
    checks.check_option("a", 1, (1, 2))
    checks.check_in_range("a", 0.5, low=0, high=1)
    checks.check_key("a", ["a"], where="x")
    checks.check_finite(np.zeros(3), what="x", remedy="")
    checks.check_same_length(2, 2, what_a="a", what_b="b", remedy="")
    for value in (True, "1", np.nan, 2):
        with pytest.raises(errors.OptionError, match=r"`a` to be a number in \[0, 1\]"):
            checks.check_in_range("a", value, low=0, high=1)
    assert checks.listing([]) == "none"
    assert checks.listing(range(12), limit=2) == "0, 1 and 10 more"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_failed_write_leaves_the_old(tmp_path, kind):
    target = tmp_path / "x"

    def make(path, text):
        if kind == "file":
            path.write_text(text)
        else:
            path.mkdir()
            (path / ".zattrs").write_text('{"encoding-type": "anndata"}')
            (path / "a").write_text(text)

    def text():
        return (target if kind == "file" else target / "a").read_text()

    for version in ("old", "new"):
        with replacing(target, folder=kind == "folder") as beside:
            make(beside, version)
        assert text() == version
    with pytest.raises(RuntimeError, match="killed"), replacing(target, folder=kind == "folder") as beside:
        make(beside, "half")
        raise RuntimeError("killed")
    assert text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
    assert existing_path(target) == target


def test_seeds():
    assert as_rng(3).integers(100) == as_rng(3).integers(100)
    generator = as_rng(None)
    assert as_rng(generator) is generator
    assert as_seed(5) == 5
    assert 0 <= as_seed(None) < 2**31


def test_masked_logsumexp_has_defined_values_and_gradients():
    x = torch.tensor([[1e4, -1e4, 3.0], [0.0, 1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    out = masked_logsumexp(x, mask)
    assert out[0] == 1e4
    assert out[1] == -torch.inf
    (grad,) = torch.autograd.grad(out[0], x)
    assert torch.isfinite(grad).all()


def test_a_constant_column_has_a_spread_of_one():
    from cellgraph_clr._core.scaling import column_moments

    x = np.column_stack([np.full(999, 0.1), np.arange(999.0), np.zeros(999)]).astype(np.float32)
    mean, scale = column_moments(x)
    np.testing.assert_allclose(mean, [0.1, 499, 0], rtol=1e-6)
    np.testing.assert_allclose(scale, [1, np.arange(999.0).std(), 1], rtol=1e-6)


def test_names_of_samples_are_text_or_numbers():
    assert [checks.sample_name(v) for v in (None, "a", 5, "")] == [None, "a", "5", ""]
    for value in (["a"], 1.5, True, "a\0"):
        with pytest.raises(errors.OptionError, match="`library_id` as text or a whole number"):
            checks.sample_name(value)


def test_columns_that_say_what_cells_are_are_owned():
    checks.check_not_owned(["well", "slide"], "columns")
    with pytest.raises(errors.OptionError, match="columns with another name than 'cell_id', .*found 'frame'"):
        checks.check_not_owned(["well", "frame"], "columns")
