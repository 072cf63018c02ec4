"""AnnData on disk: written whole or not at all, under names that can be, with errors that say why."""

import subprocess
import sys

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from cellgraph_clr import read, write
from cellgraph_clr._core.errors import FileFormatError, OptionError, OutputError
from cellgraph_clr.io.anndata_files import check_write


def cells(n=30):
    rng = np.random.default_rng(0)
    out = ad.AnnData(X=rng.random((n, 4)).astype(np.float32))
    out.obs["kind"], out.obs["name"] = ["a", "b", "c"] * (n // 3), [f"cell {i}" for i in range(n)]
    out.obsm["v"], out.obsp["g"] = rng.random((n, 2)), sp.random(n, n, 0.1, format="csr", rng=0)
    out.uns["about"] = {"text": "x", "none": None, "list": np.arange(3)}
    out.raw = out.copy()
    return out


def test_an_h5ad_is_what_anndata_writes(tmp_path):
    write(cells(), tmp_path / "a.h5ad")
    cells().write_h5ad(tmp_path / "b.h5ad", compression="gzip")
    a, b = (ad.read_h5ad(tmp_path / f"{x}.h5ad") for x in "ab")
    pd.testing.assert_frame_equal(a.obs, b.obs)
    np.testing.assert_array_equal(a.X, b.X)
    np.testing.assert_array_equal(a.raw.X, b.raw.X)
    np.testing.assert_array_equal(a.obsm["v"], b.obsm["v"])
    assert (a.obsp["g"] != b.obsp["g"]).nnz == 0
    assert a.uns.keys() == b.uns.keys()
    assert isinstance(a.obs["kind"].dtype, pd.CategoricalDtype)
    import h5py

    with h5py.File(tmp_path / "a.h5ad") as f, h5py.File(tmp_path / "b.h5ad") as g:
        assert f["X"].compression == g["X"].compression == "gzip"
        assert dict(f.attrs) == dict(g.attrs)
        assert set(f) == set(g)


def test_files_of_others_are_pointed_to_their_readers(tmp_path):
    for name, reader in (("labels.tif", "read_labels"), ("cells.csv", "from_table")):
        (tmp_path / name).write_text("id,x\n1,2\n")
        with pytest.raises(FileFormatError, match=f"found '{name}'. .*`cgc.{reader}`"):
            read(tmp_path / name)
    with pytest.raises(OptionError, match="`path` as text or a path, found None"):
        read(None)


def test_a_backed_anndata_is_written_over_its_own_file(tmp_path):
    write(cells(), tmp_path / "a.h5ad")
    backed = ad.read_h5ad(tmp_path / "a.h5ad", backed="r")
    backed.obs["more"] = np.arange(30)
    write(backed, tmp_path / "a.h5ad")
    assert read(tmp_path / "a.h5ad").obs["more"].tolist() == list(range(30))
    np.testing.assert_array_equal(np.asarray(backed.X[:]), cells().X)


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
@pytest.mark.parametrize("what", ["NUL", "mixed", "object"])
def test_what_files_cannot_hold_is_named(tmp_path, suffix, what):
    path = tmp_path / f"a{suffix}"
    write(cells(), path)
    bad = cells()
    if what == "NUL":
        bad.obs["kind"] = pd.Categorical(["a\0b", "c", "d"] * 10)
    elif what == "mixed":
        bad.obs["kind"] = np.array([1, "a", 2.5] * 10, object)
    else:
        bad.uns["thing"] = object()
    error, found = (
        (OutputError, r"an AnnData.* found .*thing")
        if what == "object"
        else (FileFormatError, r"columns.*obs\['kind'\]")
    )
    with pytest.raises(error, match=f"Expected {found}"):
        write(bad, path)
    assert read(path).obs["kind"].cat.categories.tolist() == ["a", "b", "c"]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.filterwarnings("ignore:Writing zarr v2")
def test_a_zarr_replaces_an_anndata_or_an_empty_folder_only(tmp_path):
    path = tmp_path / "a.zarr"
    path.mkdir()
    for n in (30, 60):
        write(cells(n), path)
        assert read(path).n_obs == n
    (tmp_path / "labels.zarr").mkdir()
    (tmp_path / "labels.zarr" / ".zarray").write_text("{}")
    with pytest.raises(OutputError, match="something else than an AnnData"):
        write(cells(), tmp_path / "labels.zarr")
    with ad.settings.override(zarr_write_format=2):
        cells().write_zarr(tmp_path / "old.zarr")
    write(cells(60), tmp_path / "old.zarr")
    assert read(tmp_path / "old.zarr").n_obs == 60
    with pytest.raises(OutputError, match="a folder there"):
        check_write(_folder(tmp_path / "x.h5ad"))
    with pytest.raises(FileFormatError, match="ending in"):
        check_write(tmp_path / "x.csv")


def _folder(path):
    path.mkdir()
    return path


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
def test_a_limit_of_file_size_ends_in_an_error_and_not_in_a_crash(tmp_path, suffix):
    """The interpreter ends in peace: HDF5 would crash it there."""
    code = f"""
import resource, warnings, numpy as np, anndata as ad, cellgraph_clr as cgc
warnings.simplefilter("ignore")
path = {str(tmp_path / f"a{suffix}")!r}
cgc.write(ad.AnnData(X=np.zeros((3, 2), np.float32)), path)
wide = ad.AnnData(X=np.random.default_rng(0).random((20_000, 60)).astype(np.float32))
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    cgc.write(wide, path)
except cgc.CellGraphError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "to be writable, found File too large. Free some space" in done.stdout
    assert done.stderr == ""
    assert read(tmp_path / f"a{suffix}").n_obs == 3
    assert [p.name for p in tmp_path.iterdir()] == [f"a{suffix}"]
