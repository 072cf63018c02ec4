"""Whatever is written goes into a folder that is there: a missing one is named, and not made."""

from pathlib import Path

import numpy as np
import pytest

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import OutputError


@pytest.fixture
def cells(tissue_2d):
    adata = tissue_2d.adata()
    cgc.gr.contact_graph(adata)
    adata.obsm["X_cellgraph"] = np.nan_to_num(np.asarray(adata.X[:, :4], np.float32))
    return adata


def model():
    return cgc.models.CellGraphCLR(n_steps=1, n_dims=4, n_hidden=4, progress=False)


WRITERS = {
    "write .h5ad": ("x.h5ad", cgc.write),
    "write .zarr": ("x.zarr", cgc.write),
    "report": ("x.html", cgc.report),
    "picture": ("x.png", lambda adata, path: cgc.pl.spatial(adata, save=path)),
    "mobie": ("x.tsv", cgc.io.write_mobie_table),
    "index": ("x.index", lambda adata, path: cgc.tl.build_index(adata).save(path)),
    "model": ("x.safetensors", lambda adata, path: model().fit(adata).save(path)),
    "checkpoint": ("x.ckpt", lambda adata, path: model().fit(adata, checkpoint=path)),
    "checkpoints": (
        "x",
        lambda _, path: cgc.models.MorphoFeatures(
            n_steps=1, kinds=("shape",), n_features=4, n_hidden=4, n_points=16
        ).fit(cgc.datasets.shapes(5, random_state=0).image, checkpoint=path),
    ),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_missing_folder_is_named_and_not_made(name, cells, tmp_path):
    file, write = WRITERS[name]
    with pytest.raises(OutputError, match=r"found no folder '.*new'\. Make it first, or choose another path\."):
        write(cells, tmp_path / "new" / file)
    assert list(tmp_path.iterdir()) == []
    write(cells, tmp_path / file)
    assert [p.name for p in Path(tmp_path).iterdir()] == [file]
