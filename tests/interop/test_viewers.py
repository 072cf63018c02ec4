"""Vitessce, napari and SpatialData take what we give them, in the colors of our plots; each where it is installed."""

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgba

import cellgraph_clr as cgc

pytestmark = pytest.mark.filterwarnings("ignore")
VENDOR = Path(__file__).parents[2] / "vendor"
SCHEMAS = VENDOR / "node_modules" / "@vitessce" / "schemas"
ASK = """
import { VERSIONED_CONFIG_SCHEMAS, anndataZarrSchema, upgradeAndParse } from '@vitessce/schemas';
let text = '';
for await (const part of process.stdin) text += part;
const config = JSON.parse(text);
VERSIONED_CONFIG_SCHEMAS[config.version].parse(config);
anndataZarrSchema.parse(config.datasets[0].files[0].options);
console.log(upgradeAndParse(config).version);
"""


def is_missing(name):
    return importlib.util.find_spec(name) is None


@pytest.fixture
def asked(embedded, tissue_2d):
    """Cells with classes and with what a query found."""
    cgc.tl.retrieve_regions(embedded, embedded.obs["true_niche"] == "niche 0", min_cells=3)
    return embedded, tissue_2d.image


@pytest.fixture(params=[2, 3], ids=["2D", "3D"])
def config(request, tissue_2d, tissue_3d, tmp_path):
    tissue = {2: tissue_2d, 3: tissue_3d}[request.param]
    adata = tissue.adata()
    adata.obsm["X_umap"] = adata.X[:, :2]
    return cgc.to_vitessce(adata, tmp_path / "cells.zarr", labels=tissue.image)


@pytest.mark.skipif(
    shutil.which("node") is None or not SCHEMAS.is_dir(), reason="`make browser` installs Vitessce's schema"
)
def test_vitessces_schema_takes_the_configuration(config):
    def told(given):
        command = ["node", "--input-type=module", "--eval", ASK]
        return subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False, cwd=VENDOR)

    out = told(config)
    assert out.returncode == 0, out.stderr
    del config["datasets"][0]["files"][0]["options"]["obsSets"][0]["path"]
    assert told(config).returncode != 0


@pytest.mark.skipif(is_missing("vitessce"), reason="`make interop` installs vitessce")
def test_vitessces_package_reads_the_configuration(config):
    from vitessce import VitessceConfig

    again = VitessceConfig.from_dict(config).to_dict()
    for part in ("datasets", "coordinationSpace"):
        assert again[part] == config[part]
    assert [v["component"] for v in again["layout"]] == [v["component"] for v in config["layout"]]


@pytest.mark.skipif(is_missing("napari"), reason="`make interop` installs napari")
@pytest.mark.parametrize("color", ["true_type", "area"])
def test_a_layer_of_napari_has_our_colors_and_selections(asked, color):
    import napari

    adata, image = asked
    layer = napari.layers.Layer.create(*cgc.to_napari(adata, image, color=color))
    if color == "true_type":
        cgc.pl.spatial(adata, color, show=False)
        shown = dict(zip(adata.obs[color].cat.categories, adata.uns[f"{color}_colors"], strict=True))
        for cell, kind in zip(adata.obs["cell_id"], adata.obs[color], strict=True):
            np.testing.assert_allclose(layer.get_color(int(cell)), to_rgba(shown[kind]), atol=1e-6)
    table = layer.features.set_index("index").loc[adata.obs["cell_id"]]
    assert table["retrieval_query"].tolist() == adata.obs["retrieval_query"].tolist()
    assert table["retrieval_region"].tolist() == adata.obs["retrieval_region"].tolist()
    np.testing.assert_allclose(layer.scale, image.spacing)
    row = int(np.argmax(adata.obs["retrieval_region"]))
    x, y = adata.obsm["spatial"][row] if color == "area" else adata.obsm["spatial"][0]
    assert layer.get_value((y, x), world=True) in set(adata.obs["cell_id"])


@pytest.mark.skipif(is_missing("spatialdata"), reason="`make interop` installs spatialdata")
def test_spatialdata_keeps_colors_and_selections(asked, tmp_path):
    import spatialdata as sd

    adata, image = asked
    made = cgc.to_spatialdata(adata, image)
    assert "true_type_colors" not in adata.uns
    made.write(tmp_path / "a.zarr")
    table = sd.read_zarr(tmp_path / "a.zarr").tables["table"]
    cgc.pl.spatial(adata, "true_type", show=False)
    assert list(table.uns["true_type_colors"]) == list(adata.uns["true_type_colors"])
    for name in ("retrieval_query", "retrieval_region", "cell_id"):
        assert table.obs[name].tolist() == adata.obs[name].tolist()
