"""Pages in a real browser: clicks, lassos and keys find what the library finds; nothing leaves the page, nothing is run in it."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cellgraph_clr as cgc
from tests.report.conftest import HOSTILE, make_cells

AXE = Path(__file__).parents[2] / "vendor" / "node_modules" / "axe-core" / "axe.min.js"
READY = "document.documentElement.dataset.ready === 'all'"
QUERY = "cellgraph.answer.query.map((row) => Number(cellgraph.ids[row]))"
FOUND = "cellgraph.answer.found.map((row) => Number(cellgraph.ids[row]))"
REGIONS = "cellgraph.answer.regions.map((r) => r.rows.map((row) => Number(cellgraph.ids[row])))"
PLACE = """([name, row]) => {
  const map = cellgraph[name];
  const [x, y] = map.toPixel(map.data.x[row], map.data.y[row]);
  const box = map.stage.getBoundingClientRect();
  return [box.left + x, box.top + y];
}"""


class Opened:
    """A page in the browser, with what it logged and asked for."""

    def __init__(self, browser, path, *, fragment="", width=1400, height=900, script="", **options):
        self.context = browser.new_context(viewport={"width": width, "height": height}, offline=True, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(180_000)  # of a machine that is busy with others
        self.page.add_init_script(script)
        self.wrong, self.requests = [], []
        self.page.on("console", lambda m: self.wrong.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.wrong.append(str(e)))
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.goto(f"{path.as_uri()}{fragment}")
        if options.get("java_script_enabled", True):
            self.page.wait_for_function(READY)

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        outside = [u for u in self.requests if not u.startswith(("file:", "data:", "blob:"))]
        stolen = self.page.evaluate("window.stolen ?? null") if kind is None else None
        self.context.close()
        if kind is None:
            assert self.wrong == []
            assert outside == []
            assert stolen is None

    def click(self, name, row):
        self.page.evaluate("document.querySelector('#explore').scrollIntoView(); cellgraph.clear()")
        x, y = self.page.evaluate(PLACE, [name, row])
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.up()
        self.page.wait_for_function("cellgraph.answer !== null")

    def get(self, what):
        return self.page.evaluate(what)


@pytest.fixture(scope="module")
def blobs():
    return make_cells(2000)


@pytest.fixture(scope="module")
def path(blobs, tmp_path_factory):
    return cgc.report(blobs, tmp_path_factory.mktemp("page") / "cells.html", title=HOSTILE[0], n_dims=12)


def iou(pages, table, adata):
    """Overlap of all cells in regions, here and there."""
    here, there = set(np.concatenate([*pages, []]).astype(int)), set(adata.obs["cell_id"][table > 0])
    return len(here & there) / max(len(here | there), 1)


def lone_rows(opened, name, n):
    """Rows of cells that no other lies on, so that a click means them."""
    rows = opened.get(
        f"""(() => {{
          const map = cellgraph.{name};
          const at = Array.from(map.data.x, (x, i) => map.toPixel(x, map.data.y[i]));
          const far = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]) > 14;
          const seen = ([x, y]) => x > 9 && y > 9 && x < map.size[0] - 9 && y < map.size[1] - 9;
          return at.map((p, i) => i).filter((i) => seen(at[i]) && at.every((q, j) => i === j || far(at[i], q)));
        }})()"""
    )
    assert len(rows) >= n
    return rows[:: max(len(rows) // n, 1)][:n]


def test_clicks_find_what_the_library_finds(browser, path, blobs):
    with Opened(browser, path) as opened:
        for name in ("tissue", "embedding"):
            agreement, overlap = [], []
            for row in lone_rows(opened, name, 4):
                opened.click(name, row)
                asked = opened.get(QUERY)
                assert asked == [opened.get(f"cellgraph.ids[{row}]")]
                table = cgc.tl.retrieve(blobs, asked, k=50)
                agreement.append(len(set(opened.get(FOUND)) & set(table["cell_id"])) / 50)
                cgc.tl.retrieve_regions(blobs, asked)
                overlap.append(iou(opened.get(REGIONS), blobs.obs["retrieval_region"], blobs))
            assert np.mean(overlap) >= 0.9
            assert np.mean(agreement) >= 0.95
        assert "50 cells and" in opened.page.inner_text("#status")
        assert opened.page.locator(".thumbs button").count() == 8


def draw_lasso(opened, left, top, right, bottom):
    """Draw around a box, in shares of the tissue's map, by mouse and Shift; return the ids of what lies in it."""
    box = opened.get(
        "(({left, top, width, height}) => [left, top, width, height])(cellgraph.tissue.stage.getBoundingClientRect())"
    )
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top + 0.01)]
    steps = [(box[0] + x * box[2], box[1] + y * box[3]) for x, y in corners]
    opened.page.keyboard.down("Shift")
    opened.page.mouse.move(*steps[0])
    opened.page.mouse.down()
    for step in steps[1:]:
        opened.page.mouse.move(*step, steps=12)
        opened.page.wait_for_timeout(30)
    opened.page.mouse.up()
    opened.page.keyboard.up("Shift")
    opened.page.wait_for_function("cellgraph.answer !== null")
    return opened.page.evaluate(
        """([left, top, right, bottom]) => {
          const map = cellgraph.tissue; const [w, h] = map.size;
          return [...map.data.x].map((x, i) => [Number(cellgraph.ids[i]), map.toPixel(x, map.data.y[i])])
            .filter(([, [x, y]]) => x > left * w && x < right * w && y > top * h && y < bottom * h).map(([id]) => id);
        }""",
        [left, top, right, bottom],
    )


def test_a_lasso_asks_about_all_in_it(browser, path, blobs):
    with Opened(browser, path) as opened:
        inside = draw_lasso(opened, 0.3, 0.3, 0.6, 0.62)
        asked = opened.get(QUERY)
        assert len(inside) > 20
        assert len(set(asked) & set(inside)) / len(set(asked) | set(inside)) >= 0.95
        table = cgc.tl.retrieve(blobs, asked, k=50)
        assert len(set(opened.get(FOUND)) & set(table["cell_id"])) >= 48
        cgc.tl.retrieve_regions(blobs, asked)
        assert iou(opened.get(REGIONS), blobs.obs["retrieval_region"], blobs) >= 0.9


def test_a_hundred_thousand_cells_answer_clicks_and_lassos(browser, tmp_path):
    """Found as the library finds, from what the mouse does."""
    adata = make_cells(100_000, n_blobs=1000, spread=6, d=8)
    path = cgc.report(adata, tmp_path / "cells.html", n_dims=8)
    assert path.stat().st_size < 8e6
    with Opened(browser, path) as opened:
        assert opened.get("cellgraph.ids.length") == 100_000

        def check_answer():
            asked = opened.get(QUERY)
            table = cgc.tl.retrieve(adata, asked, k=50)
            assert len(set(opened.get(FOUND)) & set(table["cell_id"])) / 50 >= 0.95
            cgc.tl.retrieve_regions(adata, asked)
            assert iou(opened.get(REGIONS), adata.obs["retrieval_region"], adata) >= 0.9
            return asked

        opened.click("tissue", 87_654)
        (asked,) = check_answer()
        place = adata.obsm["spatial"][adata.obs["cell_id"] == asked][0]
        meant = adata.obsm["spatial"][adata.obs["cell_id"] == opened.get("Number(cellgraph.ids[87654])")][0]
        assert np.linalg.norm(place - meant) < 3 / opened.get("cellgraph.tissue.pixelsPerUnit")
        inside = draw_lasso(opened, 0.4, 0.4, 0.45, 0.46)
        asked = check_answer()
        assert len(inside) > 100
        assert len(set(asked) & set(inside)) / len(set(asked) | set(inside)) >= 0.9


def compact_queries(adata, n, *, size=15):
    """Neighborhoods of `size` cells, from whose rim the library would make regions, were they not left out: ids and that rim."""
    from cellgraph_clr.analysis.regions import find_regions

    graph, out = adata.obsp["spatial_connectivities"], []
    place, ids = adata.obsm["spatial"], adata.obs["cell_id"].to_numpy()
    for middle in place[:: len(place) // 40]:
        rows = np.argsort(((place - middle) ** 2).sum(axis=1))[:size]
        table = cgc.tl.retrieve_regions(adata, ids[rows].tolist())
        blocked = np.isin(np.arange(adata.n_obs), rows)
        limits = {"threshold": table.attrs["min_similarity"], "min_cells": 5, "max_cells": 2 * size}
        found = find_regions(adata.obs["retrieval_score"].to_numpy(float), graph, blocked=blocked, **limits)
        beside = graph @ blocked > 0
        rim = [r.rows for r in found if beside[r.rows].mean() > 0.5]
        if rim:
            out.append((ids[rows].tolist(), set(ids[np.concatenate(rim)].tolist())))
        if len(out) == n:
            return out
    pytest.fail(f"of 40 neighborhoods only {len(out)} have a rim like them")


@pytest.mark.filterwarnings(
    "ignore:No region of:UserWarning", "ignore:The [0-9]+ cells of the query lie in:UserWarning"
)
def test_the_rim_of_a_query_is_no_region_but_of_scattered_ones(browser, path, blobs):
    with Opened(browser, path) as opened:
        at = {cell: row for row, cell in enumerate(opened.get("Array.from(cellgraph.ids, Number)"))}

        def regions_like(cells):
            opened.get(f"cellgraph.ask({[at[c] for c in cells]})")
            cgc.tl.retrieve_regions(blobs, cells)
            return opened.get(REGIONS), blobs.obs["retrieval_region"]

        overlap = []
        for cells, rim in compact_queries(blobs, 4):
            here, there = regions_like(cells)
            overlap.append(iou(here, there, blobs))
            assert len(rim & set(np.concatenate([*here, []]).astype(int))) < 0.5 * len(rim)
        assert np.mean(overlap) >= 0.9
        graph, place, apart = blobs.obsp["spatial_connectivities"], blobs.obsm["spatial"], []
        for row in np.argsort(((place - place[0]) ** 2).sum(axis=1))[:60]:
            if graph[row, apart].nnz == 0:
                apart.append(row)
        here, there = regions_like(blobs.obs["cell_id"].iloc[apart].tolist())
        assert iou(here, there, blobs) >= 0.9


def test_keys_do_what_the_mouse_does(browser, path):
    with Opened(browser, path) as opened:
        press = opened.page.keyboard.press
        opened.page.focus("#tissue .stage")
        before = opened.get("[...cellgraph.tissue.view]")
        for key in ("ArrowLeft", "+", "+"):
            press(key)
        after = opened.get("[...cellgraph.tissue.view]")
        assert after[0] == pytest.approx(before[0] * 1.69, rel=1e-3)
        press("Enter")
        row = opened.get("cellgraph.answer.query[0]")
        assert row == opened.get("cellgraph.tissue.nearestTo(...cellgraph.tissue.size.map((s) => s / 2))")
        press("n")
        press("n")
        assert opened.get("cellgraph.at") == 1
        assert opened.page.get_attribute(".found li:nth-child(2) button", "aria-current") == "true"
        press("p")
        assert opened.get("cellgraph.at") == 0
        press("l")
        assert opened.page.get_attribute("[data-mode=lasso]", "aria-pressed") == "true"
        press("0")
        assert opened.get("[...cellgraph.tissue.view]") == pytest.approx(before, rel=1e-3)
        press("Escape")
        assert opened.get("cellgraph.answer") is None
        press("/")
        opened.page.keyboard.type("17")
        press("Enter")
        assert opened.get(QUERY) == [17]


def test_a_link_shows_the_same_again(browser, path):
    with Opened(browser, path) as opened:
        opened.page.select_option("#color", label="score")
        opened.page.fill("#find", "30")
        opened.page.press("#find", "Enter")
        link, found = opened.get("location.hash"), opened.get(FOUND)
        assert found
    with Opened(browser, path, fragment=link) as again:
        assert again.get("cellgraph.column.name") == "score"
        assert again.get(QUERY) == [30]
        assert again.get(FOUND) == found


def test_the_legend_filters_and_names_are_text(browser, path, blobs):
    with Opened(browser, path) as opened:
        assert opened.page.inner_text("h1") == HOSTILE[0]
        named = opened.page.locator("#legend .label").all_inner_texts()
        assert set(named) == set(HOSTILE)
        opened.page.locator("#legend li button").nth(0).click()
        opened.page.wait_for_function("document.getElementById('status').textContent.includes('are shown')")
        count = opened.get("cellgraph.column.count")
        assert (
            opened.get(
                "cellgraph.maps.map((m) => m.plot.get('pointsInView').length >= 0 && m.plot.get('filteredPoints').length)"
            )
            == [sum(count) - count[0]] * 2
        )
        opened.page.get_by_text("Show all").click()
        opened.page.wait_for_function("!cellgraph.maps.some((m) => m.plot.get('isPointsFiltered'))")


def test_the_table_names_cells_by_their_ids(browser, path, blobs):
    with Opened(browser, path) as opened:
        opened.page.fill("#find", "44")
        opened.page.press("#find", "Enter")
        with opened.page.expect_download() as held:
            opened.page.get_by_text("Download CSV").click()
        lines = held.value.path().read_text().splitlines()
        assert lines[0] == "rank,cell_id,obs_names,similarity"
        table = cgc.tl.retrieve(blobs, [44], k=50)
        rank, cell, name, score = lines[2].split(",")
        assert (rank, int(cell)) == ("1", int(table["cell_id"].iloc[0]))
        assert name == table.index[0]
        assert float(score) == pytest.approx(table["score"].iloc[0], abs=0.01)
        assert len(lines) == 52


def drawn_share(opened, name):
    """Share of the pixels of a map on which a cell is drawn."""
    return opened.get(
        f"""(() => {{
          const c = cellgraph.{name}.canvas;
          const p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
          let n = 0;
          for (let i = 3; i < p.length; i += 4) n += p[i] > 40;
          return n / (c.width * c.height);
        }})()"""
    )


def test_maps_are_drawn_in_light_and_dark(browser, path):
    shown = {}
    for scheme in ("light", "dark"):
        with Opened(browser, path, color_scheme=scheme) as opened:
            opened.page.wait_for_timeout(300)
            shown[scheme] = opened.get("getComputedStyle(document.body).backgroundColor")
            for name in ("tissue", "embedding"):
                assert 0.01 < drawn_share(opened, name) < 0.5, (scheme, name)
            opened.page.wait_for_timeout(3000)  # maps that stay blank so long are drawn otherwise
            assert opened.page.is_hidden("#flat")
            opened.page.click("#theme")
            assert opened.get("getComputedStyle(document.body).backgroundColor") != shown[scheme]
    assert shown["light"] != shown["dark"]


def test_without_webgl_maps_do_the_same(plain_browser, path, blobs):
    with Opened(plain_browser, path) as opened:
        assert opened.get("document.createElement('canvas').getContext('webgl')") is None
        assert "no WebGL" in opened.page.inner_text("#flat")
        for name in ("tissue", "embedding"):
            assert 0.01 < drawn_share(opened, name) < 0.5
            row = lone_rows(opened, name, 1)[0]
            opened.click(name, row)
            assert opened.get("cellgraph.answer.query") == [row]
            table = cgc.tl.retrieve(blobs, opened.get(QUERY), k=50)
            assert len(set(opened.get(FOUND)) & set(table["cell_id"])) >= 47
        inside = draw_lasso(opened, 0.3, 0.3, 0.6, 0.62)
        asked = opened.get(QUERY)
        assert len(set(asked) & set(inside)) / len(set(asked) | set(inside)) >= 0.95
        opened.page.keyboard.press("Escape")
        box = opened.page.locator("#tissue .stage").bounding_box()
        x, y = box["x"] + 0.3 * box["width"], box["y"] + 0.4 * box["height"]
        at = opened.get(f"cellgraph.tissue.toData({x - box['x']}, {y - box['y']})")
        before = opened.get("[...cellgraph.tissue.view]")
        opened.page.mouse.move(x, y)
        opened.page.mouse.wheel(0, -300)
        opened.page.wait_for_function(f"cellgraph.tissue.view[0] > {1.5 * before[0]}")
        assert opened.get(f"cellgraph.tissue.toPixel({at[0]}, {at[1]})") == pytest.approx(
            [x - box["x"], y - box["y"]], abs=1.5
        )
        opened.page.mouse.down()
        opened.page.mouse.move(x + 60, y - 40, steps=4)
        opened.page.mouse.up()
        assert opened.get(f"cellgraph.tissue.toPixel({at[0]}, {at[1]})") == pytest.approx(
            [x + 60 - box["x"], y - 40 - box["y"]], abs=1.5
        )
        opened.page.click("#fit")
        full = drawn_share(opened, "tissue")
        opened.page.locator("#legend li button").nth(0).click()
        opened.page.wait_for_function("document.getElementById('status').textContent.includes('are shown')")
        opened.page.wait_for_timeout(300)
        assert drawn_share(opened, "tissue") < 0.9 * full


def test_maps_outlive_the_loss_of_webgl(browser, path, blobs):
    """What was shown is drawn again: the place, the color, the filter."""
    hold = """const get = HTMLCanvasElement.prototype.getContext; window.held = [];
      HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
        const found = get.call(this, kind, ...rest);
        if (kind.startsWith('webgl') || kind.startsWith('exp')) window.held.push(found);
        return found;
      };"""
    with Opened(browser, path, script=hold) as opened:
        opened.page.locator("#legend li button").nth(0).click()
        opened.page.wait_for_function("document.getElementById('status').textContent.includes('are shown')")
        zoom(opened, 2)
        left = "cellgraph.maps.map((m) => m.plot.get('filteredPoints').length)"
        before, view = opened.get(left), opened.get("[...cellgraph.tissue.view]")
        opened.get("window.held.filter(Boolean).forEach((gl) => gl.getExtension('WEBGL_lose_context')?.loseContext())")
        opened.page.wait_for_selector("#flat", state="visible")
        opened.page.wait_for_timeout(300)
        assert opened.get("[...cellgraph.tissue.view]") == view
        assert opened.get(left) == before
        assert all(n < len(blobs) for n in before)
        assert 0.01 < drawn_share(opened, "tissue") < 0.5
        row = lone_rows(opened, "tissue", 1)[0]
        opened.click("tissue", row)
        assert opened.get("cellgraph.answer.query") == [row]


def test_a_driver_that_draws_nothing_is_noticed(browser, path):
    blind = """for (const name of ['drawArrays', 'drawElements']) WebGLRenderingContext.prototype[name] = () => {};"""
    with Opened(browser, path, script=blind) as opened:
        opened.page.wait_for_selector("#flat", state="visible")
        opened.page.wait_for_timeout(300)
        assert 0.01 < drawn_share(opened, "tissue") < 0.5


def test_it_reads_without_scripts(browser, path):
    with Opened(browser, path, java_script_enabled=False) as opened:
        text = opened.page.inner_text("body")
        for words in ("What the data are", "Who lies beside whom", "Classes and clusters", "How it was made", "µm²"):
            assert words in text
        assert opened.page.locator("#maps img").count() == 2
        assert not opened.page.locator("#explore canvas").count()
        opened.get = opened.page.evaluate = lambda *_: None  # there are no scripts to ask


def test_samples_lie_apart_and_links_name_them(browser, tmp_path):
    adata = make_cells(600, n_samples=3)
    path = cgc.report(adata, tmp_path / "cells.html")
    with Opened(browser, path) as opened:
        boxes = opened.get("cellgraph.boxes")
        overlap = [
            a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for i, a in enumerate(boxes) for b in boxes[:i]
        ]
        assert not any(overlap)
        opened.page.select_option("#sample", label="s/1")
        opened.click("tissue", lone_rows(opened, "tissue", 1)[0])
        link = json.loads(opened.get("JSON.stringify([...new URLSearchParams(location.hash.slice(1))])"))
        cell, sample = dict(link)["cell"].split("@")
        assert str(adata.obs["library_id"][adata.obs["cell_id"] == int(cell)].iloc[0]) == sample


def test_volumes_have_planes_and_a_slab(browser, tmp_path):
    adata = make_cells(500, ndim=3)
    path = cgc.report(adata, tmp_path / "cells.html")
    with Opened(browser, path) as opened:
        opened.page.click("[data-projection=xz]")
        opened.page.wait_for_function("cellgraph.plane === 'xz'")
        opened.page.select_option("#slab-width", "0.2")
        opened.page.wait_for_function("document.getElementById('status').textContent.includes('are shown')")
        y = adata.obsm["spatial"][:, 1]
        middle, reach = (y.min() + y.max()) / 2, np.ptp(y) * 0.1
        n = int((np.abs(y - middle) <= reach).sum())
        shown = int(opened.page.inner_text("#status").split(" of ")[0])
        assert abs(shown - n) <= 2
        assert "plane=xz" in opened.get("location.hash")


INSIDE = """(() => {
  const {outlines} = cellgraph; const pen = document.createElement('canvas').getContext('2d');
  let n = 0;
  for (let i = 0; i < about_n; i++) {
    const path = new Path2D();
    for (let at = outlines.start[i]; at < outlines.start[i + 1]; at++) path.lineTo(1e3 + 50 * outlines.x[at], 1e3 + 50 * outlines.y[at]);
    path.closePath();
    n += pen.isPointInPath(path, 1e3, 1e3);
  }
  return n / about_n;
})()"""
IS_OUTLINED = "cellgraph.tissue.canvas.classList.contains('away')"


def zoom(opened, times=8):
    for _ in range(times):
        opened.get("cellgraph.tissue.key(new KeyboardEvent('keydown', {key: '+'}))")


def test_outlines_and_image_lie_on_the_cells(browser, adata, tissue_2d, tmp_path):
    """Zoomed in, the outline of a cell holds its place, and the image is drawn under it."""
    image = tissue_2d.image
    adata.obsm["X_flat"] = adata.X[:, :2].copy()
    path = cgc.report(adata, tmp_path / "cells.html", labels=image, image=image.image[:2], embedding="X_flat")
    with Opened(browser, path) as opened:
        assert opened.get("cellgraph.pictures.length") == 1
        assert opened.get(INSIDE.replace("about_n", str(adata.n_obs))) > 0.97
        zoom(opened)
        opened.page.wait_for_function(IS_OUTLINED)


def test_outlines_of_a_volume_are_drawn_in_a_slab_of_their_plane(browser, tissue_3d, tmp_path):
    adata = tissue_3d.adata()
    adata.obsm["X_flat"] = adata.X[:, :2].copy()
    path = cgc.report(adata, tmp_path / "cells.html", labels=tissue_3d.image, embedding="X_flat")
    with Opened(browser, path) as opened:
        assert opened.get(INSIDE.replace("about_n", str(adata.n_obs))) > 0.9
        zoom(opened)
        opened.page.wait_for_timeout(200)
        assert not opened.get(IS_OUTLINED)
        opened.page.select_option("#slab-width", "0.2")
        opened.page.wait_for_function(IS_OUTLINED)
        opened.page.click("[data-projection=xz]")
        opened.page.wait_for_function(f"!{IS_OUTLINED}")


CENTRES = """[...document.querySelectorAll('.thumbs canvas')].map((c) => {
  const p = c.getContext('2d').getImageData(68, 68, 8, 8).data;
  let sum = 0;
  for (let i = 0; i < p.length; i += 4) sum += p[i];
  return sum / 64 > 110;
})"""


def test_the_card_shows_the_nearest_in_the_light_of_their_plane(browser, tissue_3d, tmp_path):
    """Cells of odd id are bright and all others dark: so are the middles of their small pictures; without the image they are not."""
    adata, labels = tissue_3d.adata(), np.asarray(tissue_3d.image.labels)
    adata.obsm["X_flat"] = adata.X[:, :2].copy()
    image = np.where(labels % 2 == 1, 200, 20).astype(np.uint8)
    path = cgc.report(adata, tmp_path / "cells.html", image=image, labels=tissue_3d.image, embedding="X_flat")
    with Opened(browser, path) as opened:
        agreement = []
        for row in range(0, 100, 10):
            opened.get(f"cellgraph.ask([{row}])")
            shown, ids = opened.get(CENTRES), opened.get(FOUND)[:8]
            agreement += [s == (i % 2 == 1) for s, i in zip(shown, ids, strict=True)]
        assert len(agreement) == 80
        assert np.mean(agreement) > 0.95
        before = opened.get(CENTRES)
        opened.page.uncheck("#picture")
        assert opened.get(CENTRES) != before


@pytest.fixture(scope="module")
def full_page(tmp_path_factory):
    """A page with all that a page may have: image, outlines, several classes, predictions, interactions, wells and frames."""
    tissue = cgc.datasets.tissue(150, ndim=3, random_state=0)
    adata = tissue.adata()
    n = adata.n_obs
    adata.obsm["X_flat"] = adata.X[:, :2].copy()
    adata.obs["type_pred"], adata.obs["type_pred_confidence"] = adata.obs["true_type"], np.linspace(0, 1, n)
    adata.obs["well"] = np.where(np.arange(n) % 2, "A01", "B02")
    cgc.gr.contact_graph(adata)
    cgc.tl.interactions(adata, "true_type", radius=20.0)
    image = np.asarray(tissue.image.image[0])
    options = {"labels": tissue.image, "image": image, "embedding": "X_flat", "truth_key": "true_type"}
    return cgc.report(adata, tmp_path_factory.mktemp("full") / "cells.html", **options)


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: `make browser`")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["path", "full_page"])
def test_accessibility(browser, which, scheme, request):
    page = request.getfixturevalue(which)
    with Opened(browser, page, bypass_csp=True, color_scheme=scheme) as opened:
        opened.page.fill("#find", "21")
        opened.page.press("#find", "Enter")
        opened.get("document.getElementById('flat').hidden = false")
        opened.page.locator("summary").click()
        opened.get(AXE.read_text() + "; 0")
        plain = (
            ".legend, .card, .scroll { background: var(--panel) !important }"  # axe gives up on contrast over shades
        )
        opened.page.add_style_tag(content=plain)
        for tab in ("cells", "regions"):
            opened.page.click(f"[data-tab={tab}]")
            found = opened.get("axe.run()")["violations"]
            assert [(v["impact"], v["id"], v["nodes"][0]["html"]) for v in found] == []


def test_what_goes_on_below_is_shaded(browser, tmp_path):
    """The last row of pixels of a list is darker than its ground, until it is scrolled to its end."""
    with Opened(browser, cgc.report(make_cells(300), tmp_path / "cells.html")) as opened:
        opened.page.fill("#find", "21")
        opened.page.press("#find", "Enter")
        opened.page.wait_for_timeout(300)
        opened.get("document.querySelector('.card').style.maxHeight = '200px'")

        def last_row():
            box = opened.page.locator(".card").bounding_box()
            clip = {"x": box["x"] + 3, "y": box["y"] + box["height"] - 4, "width": 6, "height": 2}
            return np.asarray(Image.open(io.BytesIO(opened.page.screenshot(clip=clip))).convert("L")).mean()

        before = last_row()
        opened.get("document.querySelector('.card').scrollTop = 1e6")
        assert before < last_row() - 15


@pytest.mark.parametrize("missing", ["spatial", "vectors", "graph", "classes", "all"])
def test_pages_of_what_there_is(browser, tmp_path, missing):
    adata = make_cells(120)
    if missing in ("spatial", "all"):
        del adata.obsm["spatial"]
    if missing in ("graph", "all"):
        for key in list(adata.obsp):
            del adata.obsp[key]
    if missing in ("vectors", "all"):
        del adata.obsm["X_cellgraph"], adata.obsm["X_umap"]
        adata = adata[:, :0].copy()
    if missing in ("classes", "all"):
        adata.obs = adata.obs[["cell_id"]]
    path = cgc.report(adata, tmp_path / "cells.html")
    with Opened(browser, path) as opened:
        maps = opened.get("cellgraph.maps.length")
        assert maps == {"spatial": 1, "vectors": 1, "all": 0}.get(missing, 2)
        opened.page.fill("#find", "15")
        opened.page.press("#find", "Enter")
        assert opened.get(QUERY) == [15]
        assert (opened.get("cellgraph.answer.found") is None) == (missing in ("vectors", "all"))
