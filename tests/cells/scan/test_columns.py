"""Every column has one name, and slices hold the columns that their names say."""

from cellgraph_clr.cells.scan import columns


def names(first, last):
    """Return the names of the module from one to another, in the order they are written, which are single columns."""
    keys = [k for k, v in vars(columns).items() if isinstance(v, int)]
    return keys[keys.index(first) : keys.index(last) + 1]


def test_columns_are_numbered_without_gaps():
    for first, last, n in [
        ("COUNT", "BORDER_X", columns.N_SUMS),
        ("TOTAL", "WEIGHTED_X", columns.N_INTENSITY),
        ("OFFSET_Z", "MATCH", columns.N_OFFSETS),
    ]:
        numbers = [getattr(columns, name) for name in names(first, last)]
        assert numbers == list(range(n))


def test_slices_hold_the_columns_of_their_name():
    every = names("COUNT", "BORDER_X")
    assert every[columns.FIRST] == ["FIRST_Z", "FIRST_Y", "FIRST_X"]
    assert every[columns.SECOND] == [f"SECOND_{p}" for p in ("ZZ", "YY", "XX", "ZY", "ZX", "YX")]
    assert every[columns.BOX] == [f"{end}_{axis}" for axis in "ZYX" for end in ("LOW", "HIGH")]
    assert every[columns.BOX_LOW] == ["LOW_Z", "LOW_Y", "LOW_X"]
    assert every[columns.BOX_HIGH] == ["HIGH_Z", "HIGH_Y", "HIGH_X"]
    assert every[columns.BORDER] == ["BORDER_Z", "BORDER_Y", "BORDER_X"]
    of_pixels = names("TOTAL", "WEIGHTED_X")
    assert of_pixels[columns.WEIGHTED] == ["WEIGHTED_Z", "WEIGHTED_Y", "WEIGHTED_X"]


def test_second_moments_are_of_the_axes_of_their_name():
    every = names("COUNT", "BORDER_X")[columns.SECOND]
    assert every == ["SECOND_" + "".join("ZYX"[a] for a in axes) for axes in columns.SECOND_AXES]
