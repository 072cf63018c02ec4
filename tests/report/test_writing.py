"""`cgc.report`: bad input is named before work, inputs stay, a seed is a page, sections hold what there is."""

import base64
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import (
    CellGraphError,
    FileFormatError,
    MissingFileError,
    MissingKeyError,
    NoCellsError,
    OptionError,
    OutputError,
)
from cellgraph_clr._report import vectors
from tests.report.conftest import make_cells


def without_command(text):
    return re.sub("<pre.*?</pre>", "", text)


def sections_of(text):
    return re.findall(r'<section class="part" id="(\w+)"', text)


def sections(path):
    return sections_of(path.read_text())


def about_of(text):
    return json.loads(re.search(r'id="about">(.*?)</script>', text)[1])


@pytest.mark.parametrize("way", ["report", "spatial"])
def test_images_are_read_from_files_and_wrong_ones_are_named(tissue_2d, tmp_path, monkeypatch, way):
    cells = tissue_2d.adata()
    cells.obsm["X_umap"] = np.array(cells.obsm["spatial"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "broken.tif").write_text("x")

    def show(image):
        if way == "report":
            cgc.report(cells, "page.html", image=image, embedding="X_umap")
        else:
            cgc.pl.spatial(cells, image=image, save="page.png", show=False)

    for image, error, text in (
        ("nofile.tif", MissingFileError, "a file or folder at 'nofile.tif', found nothing there .* Check the path"),
        ("folder", FileFormatError, "a Zarr array or OME-Zarr at 'folder'"),
        ("notes.txt", FileFormatError, "a .tif, .tiff, .npy or .zarr path, found 'notes.txt'"),
        (tmp_path / "broken.tif", FileFormatError, "a readable TIFF at .*broken.tif'"),
        (5, OptionError, "`image` as an array or a path, found int"),
    ):
        with pytest.raises(error, match=text):
            show(image)
    assert not list(tmp_path.glob("page.*"))
    np.save("light.npy", np.random.default_rng(0).random(tissue_2d.image.labels.shape))
    show("light.npy")
    page = next(tmp_path.glob("page.*"))
    from_file = without_command(page.read_bytes().decode("latin-1"))
    page.unlink()
    show(np.load("light.npy"))
    assert without_command(page.read_bytes().decode("latin-1")) == from_file


def test_bad_input_is_named(cells, tmp_path):
    good = tmp_path / "a.html"
    with pytest.raises(OptionError, match=r"End it in \.html"):
        cgc.report(cells, tmp_path / "a.pdf")
    for output in (None, 3):
        with pytest.raises(CellGraphError, match="output"):
            cgc.report(cells, output)
    with pytest.raises(OutputError):
        cgc.report(cells, "/proc/none/a.html")
    with pytest.raises(NoCellsError):
        cgc.report(cells[:0].copy(), good)
    with pytest.raises(CellGraphError, match="an AnnData"):
        cgc.report(3, good)
    for key in ("color", "truth_key", "use_rep", "embedding"):
        with pytest.raises(MissingKeyError, match="nowhere"):
            cgc.report(cells, good, **{key: "nowhere"})
    with pytest.raises(MissingKeyError, match="nowhere"):
        cgc.report(cells, good, features=["nowhere"])
    with pytest.raises(OptionError, match="max_cells"):
        cgc.report(cells, good, max_cells=0)
    with pytest.raises(OptionError, match="n_dims"):
        cgc.report(cells, good, n_dims=0)
    with pytest.raises(OutputError, match="no folder"):
        cgc.report(cells, tmp_path / "new" / "a.html")
    assert not (tmp_path / "new").exists()
    twice = cells.copy()
    twice.obs = pd.concat([twice.obs, twice.obs[["kind"]]], axis=1)
    with pytest.raises(CellGraphError, match=r"`adata\.obs\.columns` once, found 'kind' several"):
        cgc.report(twice, good)
    assert not good.exists()


def test_a_failure_leaves_the_older_page(cells, tmp_path, monkeypatch):
    path = cgc.report(cells, tmp_path / "a.html")
    before = path.read_bytes()
    monkeypatch.setattr("cellgraph_clr._report.assembly.page", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cgc.report(cells, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.html"]


def test_the_input_stays_and_a_page_repeats(cells, tmp_path):
    before = cells.copy()
    one = cgc.report(cells, tmp_path / "a.html", title="t")
    two = cgc.report(cells, tmp_path / "b.html", title="t")
    assert one.read_text().replace("a.html", "b.html") == two.read_text()
    assert list(cells.uns) == list(before.uns)
    pd.testing.assert_frame_equal(cells.obs, before.obs)
    np.testing.assert_array_equal(cells.X, before.X)


@pytest.mark.parametrize(
    "option",
    [
        {"title": "another"},
        {"color": "area"},
        {"truth_key": "kind"},
        {"use_rep": "X"},
        {"embedding": "X_cellgraph"},
        {"features": ["area"]},
        {"neighbors_key": "other"},
        {"library_key": "half"},
        {"n_dims": 3},
        {"max_cells": 100},
    ],
    ids=lambda o: next(iter(o)),
)
def test_each_option_changes_the_page(cells, tmp_path, option):
    cells.obs["half"] = pd.Categorical(np.where(cells.obsm["spatial"][:, 0] < 500, "left", "right"))
    cells.obs["kind_pred"] = cells.obs["kind"]
    cells.obs["kind_pred_confidence"] = 0.5
    cgc.gr.knn_graph(cells, n_neighbors=2, key_added="other")
    texts = [cgc.report(cells, tmp_path / "a.html", **o).read_text() for o in ({}, option)]
    assert without_command(texts[0]) != without_command(texts[1])


def test_of_many_cells_a_sample_that_a_seed_draws(cells, tmp_path):
    cells.obs["rare"] = pd.Categorical(np.where(np.arange(400) < 3, "rare", "common"))
    pages = [cgc.report(cells, tmp_path / "a.html", max_cells=60, random_state=s).read_text() for s in (0, 0, 1)]
    assert pages[0] == pages[1] != pages[2]
    assert "60 of them in the maps" in pages[0]
    assert '"n":60,"n_total":400' in pages[0]
    about = about_of(pages[0])
    rare = next(c for c in about["columns"] if c["name"] == "rare")
    assert rare["count"][rare["names"].index("rare")] == 3


def test_a_umap_is_made_where_there_is_none(tmp_path, monkeypatch):
    adata = make_cells(60)
    del adata.obsm["X_umap"]
    monkeypatch.setattr(vectors, "umap", lambda x, seed: x[:, :2] * seed)
    assert '"name":"UMAP"' in cgc.report(adata, tmp_path / "a.html", random_state=3).read_text()
    assert "X_umap" not in adata.obsm


def test_sections_are_of_what_there_is(cells, tmp_path):
    assert sections(cgc.report(cells, tmp_path / "a.html")) == ["maps", "data", "graph", "classes", "provenance"]
    cells.obs["frame"] = np.arange(400) % 4
    cells.obs["event"] = pd.Categorical(["none", "division"] * 200)
    cells.obs["well"] = ["A01", "B02"] * 200
    cells.obs["is_tiny"] = np.arange(400) < 7
    cells.obs["event_confidence"] = 0.9
    for key in list(cells.obsp):
        del cells.obsp[key]
    path = cgc.report(cells, tmp_path / "a.html")
    assert sections(path) == ["maps", "data", "quality", "classes", "types", "time", "plate", "provenance"]
    text = path.read_text()
    assert "very small" in text
    assert "4 frames" in text
    assert "2 wells" in text


def test_truth_judges_cells_that_were_not_learned_from(cells, tmp_path):
    true = cells.obs["kind"].astype(str).to_numpy()
    cells.obs["known"] = pd.Categorical(np.where(np.arange(400) < 100, true, "unassigned"))
    cgc.tl.classify(cells, "known", use_rep="X_cellgraph", n_steps=20)
    unknown = np.arange(400) >= 100
    share = (cells.obs["known_pred"].astype(str).to_numpy() == true)[unknown].mean()
    text = cgc.report(cells, tmp_path / "a.html", truth_key="kind").read_text()
    assert f"<dd>{share:.3f} <small>on 300 cells not learned from" in text
    assert "Reliability" in text
    assert "Reliability" not in cgc.report(cells, tmp_path / "a.html").read_text()


def test_the_middle_of_confidence_is_of_cells_not_learned_from(cells, tmp_path):
    cells.obs["known"] = pd.Categorical(["a"] * 300 + ["unassigned"] * 100)
    cells.obs["known_pred"] = pd.Categorical(["a", "b"] * 200)
    cells.obs["known_pred_confidence"] = np.r_[np.ones(300), np.full(99, 0.25), np.nan]
    cells.uns["known_pred"] = {"params": {"label_key": "known"}}
    text = cgc.report(cells, tmp_path / "a.html").read_text()
    assert "<dt>median confidence</dt><dd>0.25 <small>of cells not learned from</small>" in text
    cells.obs["known"] = "a"
    text = cgc.report(cells, tmp_path / "a.html").read_text()
    assert "<dt>median confidence</dt><dd>– <small>of cells not learned from</small>" in text
    del cells.uns["known_pred"]
    text = cgc.report(cells, tmp_path / "a.html").read_text()
    assert "<dt>median confidence</dt><dd>1.00 <small></small>" in text


def test_confidence_by_class_is_of_cells_not_learned_from(cells, tmp_path):
    cells.obs["known"] = pd.Categorical(["a", "b", "b"] + ["unassigned"] * 397)
    cells.obs["known_pred"] = pd.Categorical(["a", "b", "b"] + ["b"] * 397)
    cells.obs["known_pred_confidence"] = np.r_[np.ones(3), np.full(397, 0.25)]
    cells.uns["known_pred"] = {"params": {"label_key": "known"}}
    text = cgc.report(cells, tmp_path / "a.html").read_text()
    assert ">0.25 (n = 397)</text>" in text
    assert ">no cell besides the labelled ones</text>" in text
    del cells.uns["known_pred"]
    text = cgc.report(cells, tmp_path / "a.html").read_text()
    assert ">1 (n = 1)</text>" in text
    assert "besides the labelled" not in text


def test_arguments_are_named_as_they_are_passed(cells, tmp_path):
    import inspect

    from typer.main import get_command

    from cellgraph_clr.cli.app import app

    cells.obs["kind_pred"], cells.obs["kind_pred_confidence"] = cells.obs["kind"], 0.5
    text = cgc.report(cells, tmp_path / "a.html").read_text()
    name, option = re.search(r"Name a column .*?<code>(\w+)=</code>.*?<code>(\S+)</code>", text).groups()
    assert name in inspect.signature(cgc.report).parameters
    assert option in {o for p in get_command(app).commands["report"].params for o in p.opts}


def test_one_giant_does_not_shrink_the_typical_cells(tmp_path):
    """Cells fill their pictures though one of sixteen is ten times larger; it is cut off, and the page says so."""
    labels = np.zeros((300, 480), np.int32)
    for i in range(15):
        labels[10:20, 10 + 30 * i : 20 + 30 * i] = i + 1
    labels[100:200, 100:200] = 16
    adata = cgc.from_labels(labels, spacing=1.0, unit="micrometer")
    adata.obsm["X_umap"] = np.array(adata.obsm["spatial"])
    adata.obs["half"] = pd.Categorical(["a", "b"] * 8)
    text = cgc.report(adata, tmp_path / "a.html", labels=labels, color="half", embedding="X_umap").read_text()
    assert "1 of 16 are larger than their picture" in text
    width, length = re.search(r'width:([\d.]+)rem"></span> ([\d.]+) µm', text).groups()
    assert float(length) / float(width) * 5.2 == pytest.approx(1.15 * 10, rel=1e-2)
    outlines = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(u))).convert("RGB"), float)
        for u in re.findall(r'<img alt="cell \d+" title="[^"]*" src="data:image/webp;base64,([^"]+)"', text)
    ]
    assert len(outlines) == 16
    assert sorted((p.max(axis=2) > 60).mean() > 0.95 for p in outlines) == [False] * 15 + [True]


def test_labels_and_image_are_shown(adata, tissue_2d, tmp_path):
    image = tissue_2d.image
    adata.obsm["X_umap"] = adata.X[:, :2].copy()
    adata.obs["half"] = pd.Categorical(np.where(adata.obsm["spatial"][:, 0] < 50, "a", "b"))
    path = cgc.report(adata, tmp_path / "a.html", labels=image, image=image.image[0], color="half")
    assert {"quality", "gallery"} <= set(sections(path))
    text = path.read_text()
    assert text.count('<li><img alt="cell ') == 16
    assert "Light is that of" not in text
    named = cgc.report(adata, tmp_path / "b.html", labels=image, color="half")
    assert f"Light is that of {image.channels[0]}." in named.read_text()
    assert '"outlines":{"step":' in text
    assert '"picture":{"url":"data:image/webp' in text


def test_a_volume_is_shown_by_its_brightest_plane(tmp_path):
    tissue = cgc.datasets.tissue(60, ndim=3, random_state=0)
    adata = tissue.adata()
    image = np.asarray(tissue.image.image[0])
    paths = [
        cgc.report(adata, tmp_path / "a.html", image=i, embedding="spatial").read_text()
        for i in (image, image.max(axis=0), image[None], {"": image})
    ]
    pictures = [re.findall('"picture":{.*?}', p) for p in paths]
    assert pictures[0] == pictures[1] == pictures[2] == pictures[3]
    assert len(pictures[0]) == 1
    assert ["sheets" in about_of(p) for p in paths] == [True, False, True, True]
    assert ["gallery" in sections_of(p) for p in paths] == [True, False, True, True]


def test_interactions_are_drawn(cells, tmp_path):
    cells.obs["type"] = pd.Categorical(np.where(cells.obs["score"] > 0.5, "<a>", "b"))
    cgc.tl.interactions(cells, "type", radius=60.0)
    path = cgc.report(cells, tmp_path / "a.html")
    assert "interactions" in sections(path)
    assert "&lt;a&gt;" in path.read_text()
    assert "log odds of contact</span>" in path.read_text()


def test_a_flag_is_not_what_a_page_begins_with(cells, tmp_path):
    cells.obs.insert(0, "a_flag", np.arange(400) % 2 == 0)
    assert about_of(cgc.report(cells, tmp_path / "a.html").read_text())["color"] == "kind"
    cells.obs["few_pred"] = cells.obs["kind"].to_numpy()
    assert about_of(cgc.report(cells, tmp_path / "a.html").read_text())["color"] == "few_pred"
    del cells.obs["few_pred"]
    cells.obs = cells.obs[["cell_id", "a_flag"]]
    assert about_of(cgc.report(cells, tmp_path / "a.html").read_text())["color"] == "a_flag"


def test_what_is_left_out_is_said(tmp_path, monkeypatch):
    from cellgraph_clr._report import contents, sheets

    tissue = cgc.datasets.tissue(60, ndim=3, random_state=0)
    adata = tissue.adata()
    image = np.asarray(tissue.image.image[0])

    def text():
        return cgc.report(adata, tmp_path / "a.html", image=image, labels=tissue.image, embedding="spatial").read_text()

    assert "left out" not in text()
    monkeypatch.setattr(contents, "MOST_OUTLINES", 10)
    monkeypatch.setattr(sheets, "MOST_BYTES", 100)
    with pytest.warns(UserWarning, match="Outlines of"):
        page = text()
    assert f"<p>Small pictures of {adata.n_obs} cells are left out: the file would be more than" in page
    assert f"<p>Outlines of {adata.n_obs} cells are left out (more than 10).</p>" in page


def test_typical_cells_are_of_the_sample_of_most_classes(tissue_2d, tmp_path):
    one, other = tissue_2d.adata(), tissue_2d.adata()
    one.obs["kind"] = pd.Categorical(["rare"] * one.n_obs)
    other.obs["kind"] = pd.Categorical(["left", "right"] * (other.n_obs // 2))
    both = cgc.concat({"a": one, "b": other})
    both.obsm["X_flat"] = both.obsm["spatial"].copy()
    image = tissue_2d.image
    page = cgc.report(
        both, tmp_path / "a.html", embedding="X_flat", color="kind", labels={"a": image, "b": image}
    ).read_text()
    gallery = page[page.index('id="gallery"') :]
    assert "All are of sample b. It has no cell of rare." in gallery
    assert [name for name in ("left", "right", "rare") if f"</span>{name}</h3>" in gallery] == ["left", "right"]


def test_typical_cells_are_seen_in_the_light_of_the_image(adata, tissue_2d, tissue_3d, tmp_path):
    """Of one channel, several, colors and volumes, with masks and without: pictures are as bright as the image says."""
    pages = []

    def tiles(adata, **options):
        adata.obsm["X_flat"] = np.array(adata.obsm["spatial"][:, :2])
        adata.obs["parity"] = pd.Categorical(np.where(adata.obs["cell_id"] % 2, "odd", "even"))
        page = cgc.report(adata, tmp_path / "a.html", embedding="X_flat", color="parity", **options).read_text()
        pages.append(page)
        found = re.findall(r'alt="cell (\d+)" title="[^"]*" src="data:image/webp;base64,([^"]+)"', page)
        shown = [(int(c), np.asarray(Image.open(io.BytesIO(base64.b64decode(u))).convert("RGB"))) for c, u in found]
        assert len(shown) == 16
        return [(cell % 2, *(p[44:52, 44:52].reshape(-1, 3).mean(axis=0) > 120)) for cell, p in shown]

    for cells, labels in ((adata, tissue_2d.image), (tissue_3d.adata(), tissue_3d.image)):
        odd = np.where(np.asarray(labels.labels) % 2 == 1, 200, 20).astype(np.uint8)
        even = (220 - odd).astype(np.uint8)
        for masks in ({"labels": labels}, {}):
            assert {t[0] == t[1] == t[2] == t[3] for t in tiles(cells, image=odd, **masks)} == {True}
            found = tiles(cells, image=np.stack([even, odd]), **masks)
            assert {(t[0] == t[2] != t[1], t[3]) for t in found} == {(True, False)}
        if labels.ndim == 2:
            assert "Red and green are the channels" in pages[-3]
            found = tiles(cells, image=np.stack([even, odd, odd], axis=-1), labels=labels)
            assert {t[0] == t[2] == t[3] != t[1] for t in found} == {True}
            assert "are the channels" not in pages[-1]
