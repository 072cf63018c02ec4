"""The command `profile`: learn, save, apply."""

import numpy as np
import tifffile
from typer.testing import CliRunner

from cellgraph_clr.cli.app import app
from cellgraph_clr.datasets.plates import phenotype_plate
from cellgraph_clr.io.anndata_files import read

RUN = CliRunner()
PATTERN = r"(?P<sample>sample_\d+)_(?P<field>\d)_(?P<channel>\w+)\.tif"


def test_learn_save_and_apply(tmp_path):
    plate = phenotype_plate(3, 2, side=64, random_state=0)
    for i, row in plate.table.iterrows():
        for name, pixels in zip(plate.channels, plate.read(i), strict=True):
            tifffile.imwrite(tmp_path / f"{row['sample']}_{row['field']}_{name}.tif", pixels.astype(np.uint16))
    base = ["profile", str(tmp_path), PATTERN, "-o", str(tmp_path / "p.h5ad")]
    learn = ["--window-px", "32", "--n-steps", "2", "--samples", "sample_00,sample_01"]
    done = RUN.invoke(app, [*base, *learn, "--save-model", str(tmp_path / "m.safetensors")], catch_exceptions=False)
    assert done.exit_code == 0
    assert "3 samples, 3 wells, 6 fields" in done.output
    first = read(tmp_path / "p.h5ad")
    assert first.n_obs == 24
    again = RUN.invoke(app, [*base, "--model", str(tmp_path / "m.safetensors")], catch_exceptions=False)
    assert again.exit_code == 0
    np.testing.assert_allclose(read(tmp_path / "p.h5ad").obsm["X_infomax"], first.obsm["X_infomax"], atol=1e-6)
