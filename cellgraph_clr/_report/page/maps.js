// A map: points by regl-scatterplot (WebGL) or without it (flat.js), image and outlines under them, what was found and the scale bar over them.

const RING = 5; // pixels around a cell that was asked about
const OUTLINED = 9; // pixels between cells from which outlines are drawn
const BLANK_AFTER = [300, 700, 2000]; // ms until a map that is blank counts as failed
const shared = { renderer: undefined, maps: [] };

// One for all maps; null where there is no WebGL, or no longer (the maps are then told by `onLost`).
function sharedRenderer() {
  if (shared.renderer === undefined) {
    try {
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = 16;
      if (!document.createElement("canvas").getContext("webgl")) throw new Error("no WebGL");
      shared.renderer = reglScatterplot.createRenderer({ canvas });
      canvas.addEventListener("webglcontextlost", () => {
        const lost = shared.renderer;
        shared.renderer = null;
        for (const map of shared.maps) map.startFlat();
        attempt(() => lost.destroy());
      });
    } catch {
      shared.renderer = null;
    }
  }
  return shared.renderer;
}

// What held WebGL is given up; it may fail on the way.
function attempt(step) {
  try {
    step();
  } catch {
    // nothing is drawn by it any more
  }
}

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

class CellMap {
  // `place` has x and y of all cells in units of the data, y down; `onAsk` is called with rows, `onOver` with a row or -1.
  constructor(figure, { onAsk, onOver, onFlat, sign, scaled }) {
    Object.assign(this, { figure, onAsk, onOver, onFlat, sign, scaled });
    this.stage = figure.querySelector(".stage");
    [this.under, this.canvas, this.over] = ["under", "points", "over"].map((name) => {
      const canvas = document.createElement("canvas");
      canvas.className = name;
      this.stage.append(canvas);
      return canvas;
    });
    this.bar = document.createElement("div");
    this.bar.className = "scale";
    this.bar.innerHTML = "<span></span><i></i>";
    if (scaled) this.stage.append(this.bar);
    this.marks = { query: [], found: [], regions: [], at: -1 };
    this.layers = {};
    this.hidden = null;
    this.view = null;
  }

  // Width and height of the stage; asked for once a resize, since asking makes the browser lay out the page.
  measure() {
    this.size = [this.stage.clientWidth, this.stage.clientHeight];
  }

  // Place all cells; the middle of the data is the origin, the longer half of its sides 1.
  place(x, y) {
    const [left, right] = ends(x);
    const [top, bottom] = ends(y);
    this.middle = [(left + right) / 2, (top + bottom) / 2];
    this.half = Math.max(right - left, bottom - top, 1e-30) / 2;
    this.data = { x, y };
    this.box = [left, top, right, bottom];
    this.px = Float32Array.from(x, (v) => (v - this.middle[0]) / this.half);
    this.py = Float32Array.from(y, (v) => -(v - this.middle[1]) / this.half);
    const area = Math.max((right - left) * (bottom - top), 1e-30);
    this.apart = Math.sqrt(area / Math.max(x.length, 1)); // about the distance between cells
  }

  async start(colors, palette) {
    this.measure();
    this.view = this.fitted();
    this.stage.addEventListener("keydown", (event) => this.key(event));
    this.stage.addEventListener("wheel", (event) => event.preventDefault(), { passive: false });
    new ResizeObserver(() => this.resize()).observe(this.stage);
    shared.maps.push(this);
    this.colors = colors;
    this.palette = palette;
    const renderer = sharedRenderer();
    if (!renderer) return this.startFlat();
    const [width, height] = this.size;
    const { canvas } = renderer;
    const scale = window.devicePixelRatio;
    renderer.resize(Math.max(width, canvas.width / scale), Math.max(height, canvas.height / scale));
    this.listen(reglScatterplot.createScatterplot({
      renderer,
      canvas: this.canvas,
      width,
      height,
      backgroundColor: [0, 0, 0, 0],
      colorBy: "valueA",
      pointColor: palette,
      pointColorActive: css("--found"),
      pointColorHover: css("--query"),
      pointSize: this.pointSize(),
      pointSizeSelected: 2,
      pointOutlineWidth: 1,
      opacity: this.px.length > 20000 ? 0.7 : 0.85,
      lassoColor: css("--found"),
      lassoMinDelay: 10,
      lassoMinDist: 3,
      actionKeyMap: { lasso: "shift" },
      deselectOnDblClick: false,
      deselectOnEscape: false,
      spatialIndexUseWorker: false,
      cameraView: this.fitted(),
    }));
    await this.color(colors, palette);
    this.watch(BLANK_AFTER);
  }

  // Without WebGL, or after it failed: on a canvas of its own, since the other is bound to what drew on it.
  async startFlat() {
    if (this.isFlat) return;
    this.isFlat = true;
    const canvas = document.createElement("canvas");
    canvas.className = this.canvas.className;
    canvas.style.cursor = this.canvas.style.cursor;
    this.canvas.replaceWith(canvas);
    this.canvas = canvas;
    if (this.plot) attempt(() => this.plot.destroy());
    const [width, height] = this.size;
    this.listen(new FlatPlot({ canvas, width, height, cameraView: this.view, pointColor: this.palette, pointSize: this.pointSize(), lassoColor: css("--found"), mouseMode: this.mode }));
    await this.color(this.colors, this.palette);
    if (this.hidden) await this.plot.filter([...this.hidden.keys()].filter((row) => !this.hidden[row]));
    this.onFlat();
  }

  listen(plot) {
    this.plot = plot;
    plot.subscribe("view", ({ view }) => {
      this.view = view.slice();
      this.redraw();
    });
    plot.subscribe("select", ({ points }) => this.onAsk(points.slice()));
    plot.subscribe("pointOver", (row) => this.onOver(row, this));
    plot.subscribe("pointOut", () => this.onOver(-1, this));
  }

  // A driver may fail in silence: what is blank though all cells are in view is drawn without it.
  watch(pauses) {
    const [pause, ...more] = pauses;
    setTimeout(() => {
      if (this.isFlat || !this.isBlank()) return;
      if (more.length) this.watch(more);
      else this.startFlat();
    }, pause);
  }

  isBlank() {
    const { width, height } = this.canvas;
    const isFitted = this.fitted().every((v, i) => Math.abs(v - this.view[i]) < 1e-3);
    if (!width || !height || !this.px.length || !isFitted || this.hidden) return false;
    const copy = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
    copy.drawImage(this.canvas, 0, 0); // to read from the canvas itself would slow it down
    const { data } = copy.getImageData(0, 0, width, height);
    for (let i = 3; i < data.length; i += 4) if (data[i]) return false;
    return true;
  }

  pointSize() {
    const [, height] = this.size;
    const pixels = ((this.apart / this.half) * height) / 2;
    return Math.min(Math.max(0.75 * pixels, 1.6), 9);
  }

  fitted(box = this.box) {
    const [width, height] = this.size;
    const [left, top, right, bottom] = box;
    const across = Math.max(right - left, 1e-9 * this.half) / 2 / this.half;
    const down = Math.max(bottom - top, 1e-9 * this.half) / 2 / this.half;
    const s = Math.min(0.93 * Math.min(width / height / across, 1 / down), 1e4);
    const cx = ((left + right) / 2 - this.middle[0]) / this.half;
    const cy = -((top + bottom) / 2 - this.middle[1]) / this.half;
    return new Float32Array([s, 0, 0, 0, 0, s, 0, 0, 0, 0, 1, 0, -s * cx, -s * cy, 0, 1]);
  }

  setView(view) {
    this.view = view.slice();
    this.plot.set({ cameraView: view });
    this.redraw();
  }

  fit(box) {
    this.setView(this.fitted(box));
  }

  // Pixels of the stage for units of the data, and back.
  toPixel(x, y) {
    const [width, height] = this.size;
    const k = height / 2;
    const nx = (x - this.middle[0]) / this.half;
    const ny = -(y - this.middle[1]) / this.half;
    return [width / 2 + k * (this.view[0] * nx + this.view[12]), k - k * (this.view[0] * ny + this.view[13])];
  }

  toData(px, py) {
    const [width, height] = this.size;
    const k = height / 2;
    const nx = ((px - width / 2) / k - this.view[12]) / this.view[0];
    const ny = ((k - py) / k - this.view[13]) / this.view[0];
    return [nx * this.half + this.middle[0], -ny * this.half + this.middle[1]];
  }

  get pixelsPerUnit() {
    return (this.view[0] * this.size[1]) / 2 / this.half;
  }

  async color(colors, palette) {
    this.colors = colors;
    this.palette = palette;
    this.plot.set({ pointColor: palette });
    const index = this.plot.get("spatialIndex");
    const options = { zDataType: "categorical", preventFilterReset: true };
    if (index && this.indexed === this.px) options.spatialIndex = index;
    await this.plot.draw({ x: this.px, y: this.py, valueA: colors }, options);
    this.indexed = this.px;
    this.redraw();
  }

  async show(rows) {
    this.hidden = rows === null ? null : Uint8Array.from(this.px, () => 1);
    if (rows === null) {
      if (this.plot.get("isPointsFiltered")) await this.plot.unfilter({ preventEvent: true });
    } else {
      for (const row of rows) this.hidden[row] = 0;
      await this.plot.filter(rows, { preventEvent: true });
    }
    this.redraw();
  }

  mark(marks) {
    this.marks = marks;
    const any = marks.query.length > 0;
    this.canvas.classList.toggle("faint", any);
    if (!any && this.plot.get("selectedPoints").length) this.plot.deselect({ preventEvent: true });
    this.redraw();
  }

  setMode(mode) {
    this.mode = mode;
    this.plot.set({ mouseMode: mode });
    this.canvas.style.cursor = mode === "lasso" ? "crosshair" : "";
  }

  restyle() {
    this.plot.set({ pointColorActive: css("--found"), lassoColor: css("--found"), pointColorHover: css("--query") });
    this.redraw();
  }

  resize() {
    this.measure();
    const [width, height] = this.size;
    if (!width || !height) return;
    const renderer = sharedRenderer();
    const scale = window.devicePixelRatio;
    if (renderer && (renderer.canvas.width < width * scale || renderer.canvas.height < height * scale)) {
      renderer.resize(Math.max(width, renderer.canvas.width / scale), Math.max(height, renderer.canvas.height / scale));
    }
    this.plot?.set({ width, height });
    this.redraw();
  }

  // Layers are drawn at most once a frame.
  redraw() {
    if (this.waiting || !this.view) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.drawUnder();
      this.drawOver();
      if (this.scaled) this.drawScale();
      this.onDraw?.();
    });
  }

  context(canvas) {
    const [width, height] = this.size;
    const scale = window.devicePixelRatio;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    return pen;
  }

  drawUnder() {
    const pen = this.context(this.under);
    const { pictures, outlines } = this.layers;
    for (const { image, box } of pictures?.() ?? []) {
      const [left, top] = this.toPixel(box[0], box[1]);
      const [right, bottom] = this.toPixel(box[2], box[3]);
      pen.imageSmoothingEnabled = (right - left) / image.naturalWidth < 4;
      pen.drawImage(image, left, top, right - left, bottom - top);
    }
    const near = outlines && (this.between ?? this.apart) * this.pixelsPerUnit > OUTLINED;
    this.canvas.classList.toggle("away", Boolean(near));
    if (near) this.drawOutlines(pen, outlines, Boolean(pictures?.().length));
  }

  drawOutlines(pen, outlines, onPicture) {
    const { x, y } = this.data;
    const [width, height] = this.size;
    const [left, top] = this.toData(0, 0);
    const [right, bottom] = this.toData(width, height);
    const margin = 4 * (this.between ?? this.apart);
    const asked = this.marks.query.length > 0;
    const chosen = new Set(asked ? [...this.marks.query, ...this.marks.found, ...this.marks.regions.flatMap((r) => r.rows)] : []);
    pen.lineJoin = "round";
    for (let i = 0; i < x.length; i++) {
      if (x[i] < left - margin || x[i] > right + margin || y[i] < top - margin || y[i] > bottom + margin) continue;
      if (this.hidden?.[i] || outlines.start[i] === outlines.start[i + 1]) continue;
      tracePath(pen, outlines, i, (px, py) => this.toPixel(x[i] + px, y[i] + py));
      const color = this.palette[this.colors[i]];
      const faint = asked && !chosen.has(i);
      pen.globalAlpha = faint ? 0.12 : onPicture ? 0.4 : 0.6;
      pen.fillStyle = color;
      pen.fill();
      pen.globalAlpha = faint ? 0.3 : 1;
      pen.strokeStyle = color;
      pen.lineWidth = 1.2;
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  drawOver() {
    const pen = this.context(this.over);
    const { query, found, regions, at } = this.marks;
    const { x, y } = this.data;
    const many = found.length > 2000;
    const dot = Math.min(Math.max(0.42 * this.apart * this.pixelsPerUnit, 3), 7);
    const circle = (row, radius) => {
      const [px, py] = this.toPixel(x[row], y[row]);
      pen.beginPath();
      pen.arc(px, py, radius, 0, 2 * Math.PI);
    };
    pen.fillStyle = css("--found");
    pen.strokeStyle = css("--panel");
    pen.lineWidth = 1;
    const { outlines } = this.layers;
    const outlined = this.canvas.classList.contains("away");
    for (const row of [...regions.flatMap((r) => r.rows), ...found]) {
      if (this.hidden?.[row]) continue;
      if (outlined && outlines.start[row] < outlines.start[row + 1]) {
        this.drawFound(pen, outlines, row);
        continue;
      }
      circle(row, many ? 2 : dot);
      pen.fill();
      if (!many) pen.stroke();
    }
    const ringed = query.length <= 300;
    pen.fillStyle = css("--query");
    for (const row of query) {
      circle(row, ringed ? dot + RING - 2 : 2);
      if (ringed) ring(pen, css("--query"), 2);
      else pen.fill();
    }
    if (at >= 0) {
      circle(at, dot + RING);
      ring(pen, css("--accent"), 3);
    }
    this.label(pen, regions.slice(0, 12));
    for (const { text, x: tx, y: ty } of this.layers.names?.() ?? []) {
      const [px, py] = this.toPixel(tx, ty);
      pen.font = "600 12px system-ui, sans-serif";
      pen.textAlign = "center";
      written(pen, text, px, py - 4, css("--ink"), css("--panel"));
    }
    if (document.activeElement === this.stage && this.stage.matches(":focus-visible")) this.drawCross(pen);
  }

  drawFound(pen, outlines, row) {
    tracePath(pen, outlines, row, (px, py) => this.toPixel(this.data.x[row] + px, this.data.y[row] + py));
    pen.save();
    pen.globalAlpha = 0.45;
    pen.fill();
    pen.globalAlpha = 1;
    pen.strokeStyle = pen.fillStyle;
    pen.lineWidth = 2.5;
    pen.stroke();
    pen.restore();
  }

  label(pen, regions) {
    pen.font = "700 13px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (const [i, region] of regions.entries()) {
      let sx = 0;
      let sy = 0;
      for (const row of region.rows) {
        sx += this.data.x[row] / region.rows.length;
        sy += this.data.y[row] / region.rows.length;
      }
      if (this.scaled) written(pen, String(region.number ?? i + 1), ...this.toPixel(sx, sy), css("--ink"), css("--panel"));
    }
    pen.textBaseline = "alphabetic";
  }

  drawCross(pen) {
    const [width, height] = this.size;
    pen.strokeStyle = css("--accent");
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(width / 2 - 9, height / 2);
    pen.lineTo(width / 2 + 9, height / 2);
    pen.moveTo(width / 2, height / 2 - 9);
    pen.lineTo(width / 2, height / 2 + 9);
    pen.stroke();
  }

  drawScale() {
    const { length, text } = roundLength((0.25 * this.size[0]) / this.pixelsPerUnit, this.sign);
    this.bar.firstChild.textContent = text;
    this.bar.lastChild.style.width = `${length * this.pixelsPerUnit}px`;
  }

  nearestTo(px, py) {
    const [x, y] = this.toData(px, py);
    let best = -1;
    let least = Infinity;
    for (let i = 0; i < this.data.x.length; i++) {
      if (this.hidden?.[i]) continue;
      const d = (this.data.x[i] - x) ** 2 + (this.data.y[i] - y) ** 2;
      if (d < least) {
        least = d;
        best = i;
      }
    }
    return best;
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const view = this.view.slice();
    const step = 0.15;
    const zoom = (by) => {
      for (const at of [0, 5, 12, 13]) view[at] *= by;
    };
    if (event.key === "ArrowLeft") view[12] += step;
    else if (event.key === "ArrowRight") view[12] -= step;
    else if (event.key === "ArrowUp") view[13] -= step;
    else if (event.key === "ArrowDown") view[13] += step;
    else if (event.key === "+" || event.key === "=") zoom(1.3);
    else if (event.key === "-") zoom(1 / 1.3);
    else if (event.key === "0") view.set(this.fitted());
    else if (event.key === "Enter") {
      const row = this.nearestTo(this.size[0] / 2, this.size[1] / 2);
      if (row >= 0) this.onAsk([row]);
      event.preventDefault();
      return;
    } else return;
    event.preventDefault();
    this.setView(view);
  }
}

function ends(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const v of values) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return low <= high ? [low, high] : [0, 1];
}

function tracePath(pen, outlines, row, toPixel) {
  pen.beginPath();
  for (let at = outlines.start[row]; at < outlines.start[row + 1]; at++) {
    pen.lineTo(...toPixel(outlines.x[at], outlines.y[at]));
  }
  pen.closePath();
}

// Along the path, with a rim that sets it off from any ground.
function ring(pen, ink, width, rim = 2.5) {
  for (const [color, wide] of [[css("--panel"), width + rim], [ink, width]]) {
    pen.strokeStyle = color;
    pen.lineWidth = wide;
    pen.stroke();
  }
}

function written(pen, text, x, y, ink, rim) {
  pen.lineWidth = 3.5;
  pen.lineJoin = "round";
  pen.strokeStyle = rim;
  pen.strokeText(text, x, y);
  pen.fillStyle = ink;
  pen.fillText(text, x, y);
}

// The largest length of 1, 2 or 5 times a power of ten up to `longest`, and how it is written: 0.5 µm are 500 nm.
function roundLength(longest, sign) {
  const power = 10 ** Math.floor(Math.log10(longest) + 1e-9);
  const length = [5, 2, 1].find((m) => m * power <= longest * (1 + 1e-9)) * power;
  const metric = ["pm", "nm", "µm", "mm", "m"];
  let at = metric.indexOf(sign);
  let shown = length;
  while (at >= 0 && shown >= 1000 * (1 - 1e-9) && at < metric.length - 1) {
    shown /= 1000;
    at++;
  }
  while (at > 0 && shown < 1 - 1e-9) {
    shown *= 1000;
    at--;
  }
  return { length, text: `${Number(shown.toPrecision(2))} ${at >= 0 ? metric[at] : sign}`.trim() };
}
