"""Small charts of a page as SVG text, colored by its style sheet, so that they are light, dark and printed alike."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["bars", "figure", "heat", "histogram", "number", "reliability_curve", "risk_curve", "series", "shares"]

WIDTH, HEIGHT = 360, 150
LEFT, BOTTOM = 42, 24
MOST_BARS = 30
LETTER = 6.2  # pixels of a letter, about


def number(value: float) -> str:
    """Return a number for people: three digits, thousands apart, no exponents between a thousandth and a million."""
    if not np.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 1e6 or 0 < size < 1e-3:
        return f"{value:.2e}"
    if size >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def figure(title: str, drawing: str, note: str = "") -> str:
    """Return a drawing with its title; texts are escaped."""
    more = f" <span>{escape(note)}</span>" if note else ""
    return f'<figure class="plot"><figcaption><strong>{escape(title)}</strong>{more}</figcaption>{drawing}</figure>'


def _svg(height: float, inside: str, label: str, width: float = WIDTH) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}">{inside}</svg>'
    )


def _text(x: float, y: float, text: str, *, anchor: str = "middle", kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'


def _bar(x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def histogram(values: np.ndarray, unit: str = "", *, n_bins: int = 30, label: str = "histogram") -> str:
    """Return the histogram of finite values between their 0.5 and 99.5 percentiles; few whole numbers have a bar each."""
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    if len(finite) == 0:
        return "<p>No values.</p>"
    low, high = np.percentile(finite, (0.5, 99.5))
    if (finite == np.rint(finite)).all() and high - low < n_bins:
        edges = np.arange(np.floor(low) - 0.5, np.ceil(high) + 1)
    else:
        edges = np.linspace(low, high if high > low else low + 1, n_bins + 1)
    count, _ = np.histogram(finite, edges)
    inner = WIDTH - LEFT - 6
    top = HEIGHT - BOTTOM - 8
    step = inner / len(count)
    tall = top * count / max(count.max(), 1)
    out = [_bar(LEFT + i * step + 0.5, 8 + top - h, max(step - 1, 0.6), h) for i, h in enumerate(tall)]
    base = 8 + top
    out.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - 6}" y1="{base}" y2="{base}"/>')
    for at in (0.0, 0.5, 1.0):
        value = edges[0] + at * (edges[-1] - edges[0])
        shown = round(value) if edges[1] - edges[0] == 1 and edges[0] % 1 == 0.5 else value
        anchor = ("start", "middle", "end")[int(2 * at)]
        out.append(
            _text(LEFT + at * inner, base + 15, f"{number(shown)} {unit if at == 1 else ''}".strip(), anchor=anchor)
        )
    out.append(_text(LEFT - 6, 16, number(float(count.max())), anchor="end"))
    out.append(_text(LEFT - 6, base, "0", anchor="end"))
    return _svg(
        HEIGHT, "".join(out), f"{label}: {len(finite)} values, median {number(float(np.median(finite)))} {unit}"
    )


def bars(
    names: Sequence[str],
    values: Sequence[float],
    colors: Sequence[str] | None = None,
    *,
    label: str,
    told: Sequence[str] | None = None,
) -> str:
    """Return horizontal bars with names and values, at most `MOST_BARS` of them (the largest, in the order given).

    `told` is written at the bars in place of the values; NaN is a bar without length.
    """
    texts = [number(float(v)) for v in values] if told is None else told
    lengths = np.nan_to_num(np.asarray(values, float))
    shown = list(range(len(names)))
    if len(shown) > MOST_BARS:
        keep = np.sort(np.argsort(-lengths, kind="stable")[:MOST_BARS])
        shown = keep.tolist()
    most = max([float(lengths[i]) for i in shown], default=0.0) or 1.0
    margin = min(max((len(names[i]) for i in shown), default=0) * LETTER + 10, 150)
    room = min(max([56.0, *(len(texts[i]) * LETTER for i in shown if lengths[i] > 0)]) + 6, 150)
    out = []
    for line, i in enumerate(shown):
        y = 20 * line
        long = (WIDTH - margin - room) * float(lengths[i]) / most
        fill = f' style="fill:{escape(colors[i])}"' if colors else ""
        out.append(_text(margin - 8, y + 14, _short(names[i], margin), anchor="end", kind="ink"))
        out.append(
            f'<rect class="bar"{fill} x="{margin:.1f}" y="{y + 3}" width="{max(long, 0.8):.1f}" height="14" rx="2"/>'
        )
        out.append(_text(margin + long + 6, y + 14, texts[i], anchor="start"))
    left = f"<p>{len(names) - len(shown)} smaller ones are not shown.</p>" if len(shown) < len(names) else ""
    return _svg(20 * len(shown) + 2, "".join(out), label) + left


def _short(name: str, margin: float) -> str:
    most = int((margin - 8) / LETTER)
    return name if len(name) <= most else name[: max(most - 1, 1)] + "…"


def shares(rows: Sequence[str], parts: np.ndarray, colors: Sequence[str], *, label: str) -> str:
    """Return one stacked bar a row: shares (r, k) of parts with these colors; rows without a cell stay empty."""
    margin = min(max((len(r) for r in rows), default=0) * LETTER + 10, 150)
    total = parts.sum(axis=1, keepdims=True)
    share = parts / np.where(total > 0, total, 1)
    out = []
    for line, (name, row) in enumerate(zip(rows, share, strict=True)):
        y, x = 20 * line, margin
        out.append(_text(margin - 8, y + 14, _short(name, margin), anchor="end", kind="ink"))
        for part, color in zip(row, colors, strict=True):
            if part > 0:
                wide = (WIDTH - margin - 4) * part
                out.append(
                    f'<rect x="{x:.2f}" y="{y + 3}" width="{wide:.2f}" height="14" style="fill:{escape(color)}"/>'
                )
                x += wide
    return _svg(20 * len(rows) + 2, "".join(out), label)


def _frame(x_name: str, y_name: str) -> tuple[list[str], float, float]:
    """Return the axes of a square of 0 … 1 both ways, its side, and where its left lies."""
    side, left = 190.0, 46.0
    out = [
        f'<line class="axis" x1="{left}" x2="{left}" y1="8" y2="{8 + side}"/>',
        f'<line class="axis" x1="{left}" x2="{left + side}" y1="{8 + side}" y2="{8 + side}"/>',
    ]
    for at in (0.0, 0.5, 1.0):
        out.append(_text(left + at * side, 8 + side + 15, f"{at:g}"))
        out.append(_text(left - 6, 8 + side * (1 - at) + 4, f"{at:g}", anchor="end"))
    out.append(_text(left + side / 2, 8 + side + 30, x_name))
    out.append(
        f'<text transform="translate(12 {8 + side / 2:.0f}) rotate(-90)" text-anchor="middle">{escape(y_name)}</text>'
    )
    return out, side, left


def reliability_curve(confidence: np.ndarray, accuracy: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """Return accuracy against confidence, a point a bin with its interval, beside the diagonal of perfect calibration."""
    out, side, left = _frame("confidence", "accuracy")
    out.append(f'<line class="ideal" x1="{left}" y1="{8 + side}" x2="{left + side}" y2="8"/>')
    for c, a, lo, hi in zip(confidence, accuracy, low, high, strict=True):
        x = left + side * float(c)
        out.append(
            f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{8 + side * (1 - lo):.1f}" y2="{8 + side * (1 - hi):.1f}"/>'
        )
        out.append(f'<circle class="bar" cx="{x:.1f}" cy="{8 + side * (1 - float(a)):.1f}" r="4"/>')
    return _svg(8 + side + 36, "".join(out), "accuracy against confidence", 260)


def risk_curve(coverage: np.ndarray, risk: np.ndarray) -> str:
    """Return the share of errors among the most confident cells against how many of them are kept."""
    most = max(float(np.max(risk, initial=0.0)), 0.05)
    out, side, left = _frame("share of cells kept", f"errors (1 is {most:.2g})")
    some = np.unique(np.linspace(0, len(coverage) - 1, min(len(coverage), 200)).astype(int))
    points = " ".join(f"{left + side * coverage[i]:.1f},{8 + side * (1 - risk[i] / most):.1f}" for i in some)
    out.append(f'<polyline class="line" points="{points}"/>')
    return _svg(8 + side + 36, "".join(out), "errors against coverage", 260)


def heat(names: Sequence[str], values: np.ndarray, uncertain: np.ndarray, *, label: str) -> str:
    """Return a square of colored fields with values (t, t): red above 0, blue below; pale where `uncertain`, grey for NaN."""
    known = np.abs(values[np.isfinite(values) & ~uncertain])
    most = float(known.max(initial=0.0)) or 1.0
    margin = min(max((len(n) for n in names), default=0) * LETTER + 12, 130)
    field = max(min((520 - margin) / max(len(names), 1), 44), 12)
    out = []
    for i, name in enumerate(names):
        y = margin + i * field
        out.append(_text(margin - 6, y + field / 2 + 4, _short(name, margin), anchor="end", kind="ink"))
        x = margin + i * field + field / 2 + 4
        out.append(
            f'<text class="ink" transform="translate({x:.1f} {margin - 6:.1f}) rotate(-90)">{escape(_short(name, margin))}</text>'
        )
        out += [
            _field(margin + j * field, y, field, float(v), most, unsure=bool(uncertain[i, j]))
            for j, v in enumerate(values[i])
        ]
    side = margin + field * len(names)
    return _svg(side, "".join(out), label, side)


def _field(x: float, y: float, side: float, value: float, most: float, *, unsure: bool) -> str:
    color, strength = _diverging(value, most)
    known = bool(np.isfinite(value))
    look = f"fill:{color};opacity:{0.3 if unsure and known else 1}"
    out = f'<rect x="{x:.1f}" y="{y:.1f}" width="{side - 1:.1f}" height="{side - 1:.1f}" style="{look}"/>'
    if known and not unsure and side >= 24:
        shown, ink = f"{value:+.1f}".replace("-", "−"), "#fff" if strength > 0.55 else "#222"
        place = f'x="{x + side / 2 - 0.5:.1f}" y="{y + side / 2 + 4:.1f}"'
        out += f'<text {place} text-anchor="middle" style="fill:{ink}">{shown}</text>'
    return out


def _diverging(value: float, most: float) -> tuple[str, float]:
    """Return a color between blue, white and red, and how strong it is."""
    if not np.isfinite(value):
        return "#c4c7cc", 0.0
    t = min(abs(value) / most, 1.0)
    end = (178, 24, 43) if value > 0 else (33, 102, 172)
    mixed = [round(245 + t * (e - 245)) for e in end]
    return "#{:02x}{:02x}{:02x}".format(*mixed), t


def series(
    x: Sequence[float], lines: dict[str, Sequence[float]], colors: Sequence[str], *, x_name: str, label: str
) -> str:
    """Return lines over x from 0 to their most, named at the right."""
    width, height, left, right = 560, 190, 46, 110
    most = max((max(v, default=0) for v in lines.values()), default=0) or 1
    low, high = min(x), max(x)
    inner, top = width - left - right, height - BOTTOM - 12
    base = 8 + top
    out = [f'<line class="axis" x1="{left}" x2="{left + inner}" y1="{base}" y2="{base}"/>']
    for number_, ((name, values), color) in enumerate(zip(lines.items(), colors, strict=False)):
        place = [
            f"{left + inner * (t - low) / max(high - low, 1e-12):.1f},{base - top * v / most:.1f}"
            for t, v in zip(x, values, strict=True)
        ]
        out.append(f'<polyline class="line" style="stroke:{escape(color)}" points="{" ".join(place)}"/>')
        out.append(
            f'<rect x="{left + inner + 10}" y="{10 + 18 * number_}" width="10" height="10" style="fill:{escape(color)}"/>'
        )
        out.append(_text(left + inner + 25, 19 + 18 * number_, _short(name, right), anchor="start", kind="ink"))
    out += [_text(left - 6, 16, number(most), anchor="end"), _text(left - 6, base, "0", anchor="end")]
    out += [
        _text(left, base + 15, number(low), anchor="start"),
        _text(left + inner, base + 15, number(high), anchor="end"),
    ]
    out.append(_text(left + inner / 2, base + 15, x_name))
    return _svg(height, "".join(out), label, width)
