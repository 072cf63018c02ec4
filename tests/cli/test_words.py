"""Errors and warnings of the command line name options and commands."""

import re
import sys
import warnings

import pytest

from cellgraph_clr import cli, gr, write
from cellgraph_clr.cli import signatures
from cellgraph_clr.cli.words import in_options, options_of, warnings_in_options

OPTIONS = {"n_neighbors": "--n-neighbors", "library_key": "--library-key", "exclude": "--exclude"}


@pytest.mark.parametrize(
    ("python", "words"),
    [
        ("Pass `library_key=` of the column.", "Pass `--library-key` of the column."),
        ("`n_neighbors` to be a whole number", "`--n-neighbors` to be a whole number"),
        ("Pass `library_key='a'`.", "Pass `--library-key a`."),
        ("Call `cgc.gr.delaunay_graph(adata)`.", "Call `cellgraph-clr graph --method delaunay`."),
        (
            "by `cgc.gr.contact_graph(adata, labels, max_gap=1.5)`",
            "by `cellgraph-clr graph --method contact --labels LABELS --max-gap 1.5`",
        ),
        ("Pass `exclude=False`, or `exclude=True`.", "Pass `--no-exclude`, or `--exclude`."),
        ("Pass `library_key=None`.", "Pass `--library-key none`."),
        ("Pass `exclude=['a', 'b']`.", "Pass `--exclude a,b`."),
        ("Expected exclude='a' for `n_neighbors`", "Expected `--exclude a` for `--n-neighbors`"),
        ("with n_neighbors=3, found 'exclude=4'", "with `--n-neighbors 3`, found 'exclude=4'"),
        ("in `adata.obs`, `adata.obsp['a_b']`, found", "in `obs`, `obsp['a_b']`, found"),
        ("see `cgc.tl.retrieve`", "see `cellgraph-clr retrieve`"),
        ("`cgc.nothing.of_this(x=1)` and `unknown=3`", "`cgc.nothing.of_this(x=1)` and `unknown=3`"),
    ],
)
def test_python_becomes_options(python, words):
    assert in_options(python, OPTIONS) == words


def test_options_are_those_of_the_command():
    assert options_of(["embed", "x.h5ad"])["save_model"] == "--save-model"
    assert options_of(["graph"])["n_neighbors"] == "--n-neighbors"
    assert options_of(["--help"]) == {}


def test_an_error_of_a_command_names_its_option(tissue_2d, tmp_path, monkeypatch, capsys):
    adata = tissue_2d.adata()
    gr.contact_graph(adata)
    write(adata, tmp_path / "a.h5ad")
    words = ["graph", str(tmp_path / "a.h5ad"), "--method", "knn", "--n-neighbors", "0", "-o", str(tmp_path / "b.h5ad")]
    monkeypatch.setattr(sys, "argv", ["cellgraph-clr", *words])
    with pytest.raises(SystemExit):
        cli.main()
    said = capsys.readouterr().err
    assert "`--n-neighbors`" in said
    assert "`n_neighbors`" not in said


def test_warnings_are_one_line_in_options(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["cellgraph-clr", "graph", "x"])
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with warnings_in_options():
            warnings.warn("Bridge gaps by `max_gap=2`.", stacklevel=1)
    assert capsys.readouterr().err == "warning: Bridge gaps by `--max-gap 2`.\n"


def test_closed_sets_show_their_values():
    named = re.compile(r"^(\w+): TypeAlias = Literal\[", re.MULTILINE)
    assert {n for path in signatures.ROOT.rglob("*.py") for n in named.findall(path.read_text())} == set(
        signatures.CLOSED
    )
    isolates = next(p for p in signatures.parameters_of("gr.contact_graph") if p.name == "isolates")
    assert isolates.annotation == "Literal['keep', 'nearest', 'raise']"
