"""Charts are sound SVG, true to their numbers, and texts in them are text."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from cellgraph_clr._report import charts

EVIL = '</svg><script>1</script>"'


def parsed(text):
    return ET.fromstring(text[: text.index("</svg>") + 6])


def rects(svg):
    return [r.attrib for r in svg.iter("rect")]


def test_bars_of_a_histogram_are_its_counts():
    values = np.repeat([1, 2, 4], [10, 30, 20])
    tall = [float(r["height"]) for r in rects(parsed(charts.histogram(values)))]
    assert len(tall) == 4
    np.testing.assert_allclose(np.array(tall) / max(tall), [1 / 3, 1, 0, 2 / 3], atol=0.01)
    assert "No values" in charts.histogram(np.array([np.nan]))
    parsed(charts.histogram(np.full(5, 2.5)))


def test_bars_are_as_long_as_their_values():
    svg = parsed(charts.bars(["a", EVIL], [1.0, 4.0], ["#ff0000", "#00ff00"], label=EVIL))
    wide = [float(r["width"]) for r in rects(svg)]
    assert wide[1] / wide[0] == pytest.approx(4, rel=0.02)
    assert "10 smaller" in charts.bars([str(i) for i in range(40)], np.arange(40), label="many")


def test_shares_fill_their_row():
    svg = parsed(charts.shares(["s", "none"], np.array([[1, 3], [0, 0]]), ["#ff0000", "#00ff00"], label="x"))
    wide = [float(r["width"]) for r in rects(svg)]
    assert len(wide) == 2
    assert wide[1] / wide[0] == pytest.approx(3, rel=0.01)


def test_curves_and_heat_are_drawn():
    conf = np.array([0.5, 1.0])
    svg = parsed(charts.reliability_curve(conf, conf, conf - 0.1, np.minimum(conf + 0.1, 1)))
    dots = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in svg.iter("circle")]
    line = next(el.attrib for el in svg.iter("line") if el.attrib["class"] == "ideal")
    slope = (float(line["y2"]) - float(line["y1"])) / (float(line["x2"]) - float(line["x1"]))
    for x, y in dots:  # perfect calibration lies on the diagonal
        assert y == pytest.approx(float(line["y1"]) + slope * (x - float(line["x1"])), abs=0.2)
    parsed(charts.risk_curve(np.linspace(0.1, 1, 10), np.linspace(0, 0.3, 10)))
    heat = parsed(charts.heat(["a", EVIL], np.array([[1.0, -2.0], [-2.0, np.nan]]), np.zeros((2, 2), bool), label="x"))
    fill = [r["style"].split(";")[0] for r in rects(heat)]
    assert fill[0] != fill[1] == fill[2]
    assert "#c4c7cc" in fill[3]
    parsed(charts.series([0, 1, 2], {EVIL: [1, 2, 3]}, ["#ff0000"], x_name="frame", label="x"))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234567, "1.23e+06"), (12345.6, "12,346"), (0.12345, "0.123"), (np.nan, "–"), (1e-5, "1.00e-05")],
)
def test_numbers_are_for_people(value, text):
    assert charts.number(value) == text
