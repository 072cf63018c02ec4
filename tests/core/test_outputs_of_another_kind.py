"""Files that bear the suffix of what is written, and are something else, stay."""

import anndata as ad
import numpy as np
import pytest
import torch

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import OutputError
from cellgraph_clr._core.outputs import check_output
from cellgraph_clr.training.weights import save_weights

TEXT = "field notes, the only copy\n"


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_only_pictures_that_were_drawn_are_replaced(tmp_path, suffix):
    import matplotlib.pyplot as plt

    path = tmp_path / f"x{suffix}"
    figure, axes = plt.subplots()
    axes.imshow(np.random.default_rng(0).random((400, 400)))
    figure.savefig(path)
    plt.close(figure)
    assert check_output(path) == path
    path.write_bytes(path.read_bytes().replace(b"atplotlib", b"-"))
    with pytest.raises(OutputError, match="that Matplotlib did not draw: an image that may be data"):
        check_output(path)


def test_an_h5ad_replaces_hdf5_and_nothing_else(tmp_path):
    adata, path = ad.AnnData(np.ones((3, 2), np.float32)), tmp_path / "x.h5ad"
    path.write_text(TEXT)
    with pytest.raises(OutputError, match="no HDF5"):
        cgc.write(adata, path)
    assert path.read_text() == TEXT
    path.write_bytes(b"")  # as mktemp makes it
    cgc.write(adata, path)
    cgc.write(adata, path)
    assert cgc.read(path).shape == (3, 2)


@pytest.mark.parametrize("suffix", [".html", ".HTM"])
def test_a_page_replaces_pages_of_its_kind_and_nothing_else(tmp_path, suffix):
    adata, path = cgc.datasets.tissue(20, ndim=2, random_state=0).adata(), tmp_path / f"x{suffix}"
    foreign = '<!DOCTYPE html><html><head><meta name="generator" content="Sphinx"></head>cellgraph_clr</html>'
    path.write_text(foreign)
    with pytest.raises(OutputError, match=r"a page there that `report` did not write\. Choose another path\."):
        cgc.report(adata, path, embedding="spatial")
    assert path.read_text() == foreign
    path.write_bytes(b"")
    cgc.report(adata, path, embedding="spatial")
    cgc.report(adata, path, embedding="spatial", title="again")
    assert "<title>again</title>" in path.read_text()


@pytest.mark.parametrize("name", ["m.safetensors", "m.bin", "notes.txt"])
def test_a_model_replaces_models_and_nothing_else(name, tmp_path):
    path, tensors = tmp_path / name, {"w": torch.ones(3)}
    path.write_text(TEXT)
    with pytest.raises(OutputError, match="no saved model"):
        save_weights(path, tensors, {"kind": "x"})
    assert path.read_text() == TEXT
    path.unlink()
    save_weights(path, tensors, {"kind": "x"})
    save_weights(path, tensors, {"kind": "y"})


def test_a_model_replaces_no_anndata(tmp_path):
    path = tmp_path / "x.h5ad"
    cgc.write(ad.AnnData(np.ones((3, 2), np.float32)), path)
    with pytest.raises(OutputError, match="no saved model"):
        save_weights(path, {"w": torch.ones(3)}, {"kind": "x"})
    assert cgc.read(path).shape == (3, 2)


def test_a_csv_replaces_text_and_nothing_else(tmp_path):
    path = tmp_path / "x.csv"
    np.arange(9).tofile(path)
    with pytest.raises(OutputError, match="no text"):
        check_output(path)
    path.write_text("a,b\n1,2\n")
    assert check_output(path) == path.resolve()


def test_a_folder_named_zarr_stays(tmp_path):
    (tmp_path / "x.zarr").mkdir()
    (tmp_path / "x.zarr" / "notes.txt").write_text(TEXT)
    with pytest.raises(OutputError):
        cgc.write(ad.AnnData(np.ones((3, 2), np.float32)), tmp_path / "x.zarr")
    assert (tmp_path / "x.zarr" / "notes.txt").read_text() == TEXT
