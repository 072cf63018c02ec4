// Points without WebGL: what maps use of regl-scatterplot, drawn pixel by pixel on a plain canvas.

const NEAR = 12; // pixels from the mouse within which a cell is meant
const STILL = 4; // pixels that a click may move

class FlatPlot {
  constructor({ canvas, width, height, cameraView, pointColor, pointSize, lassoColor, mouseMode }) {
    Object.assign(this, { canvas, width, height, pointSize, lassoColor, mouseMode });
    this.view = cameraView.slice();
    this.listeners = {};
    this.shown = null;
    this.lasso = null;
    this.set({ pointColor });
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", () => this.drop());
    canvas.addEventListener("pointerleave", () => this.hover(-1));
    canvas.addEventListener("wheel", (event) => this.zoom(event), { passive: false });
  }

  subscribe(name, listener) {
    this.listeners[name] = listener;
  }

  set(options) {
    const { cameraView, pointColor, ...rest } = options;
    if (cameraView) this.view = cameraView.slice();
    if (pointColor) this.palette = Uint32Array.from(pointColor, (c) => inkOf(c));
    Object.assign(this, rest);
    this.redraw();
  }

  get(name) {
    if (name === "isPointsFiltered") return this.shown !== null;
    if (name === "filteredPoints") return this.shown ?? Array.from(this.x ?? [], (_, i) => i);
    if (name === "selectedPoints") return [];
    return undefined;
  }

  async draw({ x, y, valueA }) {
    Object.assign(this, { x, y, colors: valueA });
    this.paint();
  }

  async filter(rows) {
    this.shown = rows.slice();
    this.redraw();
  }

  async unfilter() {
    this.shown = null;
    this.redraw();
  }

  deselect() {}

  redraw() {
    this.waiting ||= requestAnimationFrame(() => {
      this.waiting = 0;
      this.paint();
    });
  }

  // Cells are discs; later ones lie over earlier ones.
  paint() {
    if (!this.x || !this.width || !this.height) return;
    const scale = window.devicePixelRatio;
    const width = Math.round(this.width * scale);
    const height = Math.round(this.height * scale);
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const pen = this.canvas.getContext("2d");
    const image = pen.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const radius = Math.max((this.pointSize * scale * Math.asinh(Math.max(this.view[0], 1))) / Math.asinh(1) / 2, 1);
    const disc = discOf(radius);
    const k = height / 2;
    const [s, , , , , , , , , , , , dx, dy] = this.view;
    const n = this.shown?.length ?? this.x.length;
    for (let j = 0; j < n; j++) {
      const i = this.shown ? this.shown[j] : j;
      const px = Math.round(width / 2 + k * (s * this.x[i] + dx));
      const py = Math.round(k - k * (s * this.y[i] + dy));
      if (px < -radius || py < -radius || px > width + radius || py > height + radius) continue;
      const ink = this.palette[this.colors[i]];
      for (let d = 0; d < disc.length; d += 2) {
        const ax = px + disc[d];
        const ay = py + disc[d + 1];
        if (ax >= 0 && ay >= 0 && ax < width && ay < height) pixels[ay * width + ax] = ink;
      }
    }
    pen.putImageData(image, 0, 0);
    if (this.lasso) this.paintLasso(pen, scale);
  }

  paintLasso(pen, scale) {
    pen.beginPath();
    for (const [x, y] of this.lasso) pen.lineTo(x * scale, y * scale);
    pen.closePath();
    pen.strokeStyle = this.lassoColor;
    pen.lineWidth = 2 * scale;
    pen.stroke();
  }

  // --- the mouse ---

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  press(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture?.(event.pointerId);
    this.start = this.last = this.at(event);
    this.moved = false;
    this.lasso = event.shiftKey || this.mouseMode === "lasso" ? [this.start] : null;
  }

  move(event) {
    const [x, y] = this.at(event);
    if (!this.start) return this.hover(this.nearest(x, y));
    this.moved ||= Math.hypot(x - this.start[0], y - this.start[1]) > STILL;
    if (this.lasso) this.lasso.push([x, y]);
    else if (this.moved) {
      this.view[12] += (2 * (x - this.last[0])) / this.height;
      this.view[13] -= (2 * (y - this.last[1])) / this.height;
      this.tell();
    }
    this.last = [x, y];
    this.redraw();
  }

  release(event) {
    if (!this.start) return;
    const { lasso, moved } = this;
    this.drop();
    if (!moved) {
      const row = this.nearest(...this.at(event));
      if (row >= 0) this.listeners.select?.({ points: [row] });
    } else if (lasso) this.listeners.select?.({ points: this.inside(lasso) });
  }

  drop() {
    this.start = this.lasso = null;
    this.redraw();
  }

  hover(row) {
    if (row === this.over) return;
    this.over = row;
    if (row >= 0) this.listeners.pointOver?.(row);
    else this.listeners.pointOut?.(row);
  }

  zoom(event) {
    event.preventDefault();
    const [x, y] = this.at(event);
    const by = Math.exp(-event.deltaY / 500);
    const nx = (2 * x - this.width) / this.height;
    const ny = 1 - (2 * y) / this.height;
    this.view[0] = this.view[5] *= by;
    this.view[12] = nx + (this.view[12] - nx) * by;
    this.view[13] = ny + (this.view[13] - ny) * by;
    this.tell();
    this.redraw();
  }

  tell() {
    this.listeners.view?.({ view: this.view });
  }

  // Calls `visit` with the row and the place of every cell that is shown.
  each(visit) {
    const k = this.height / 2;
    const n = this.shown?.length ?? this.x?.length ?? 0;
    for (let j = 0; j < n; j++) {
      const i = this.shown ? this.shown[j] : j;
      visit(i, this.width / 2 + k * (this.view[0] * this.x[i] + this.view[12]), k - k * (this.view[0] * this.y[i] + this.view[13]));
    }
  }

  nearest(x, y) {
    let best = -1;
    let least = NEAR ** 2;
    this.each((i, px, py) => {
      const d = (px - x) ** 2 + (py - y) ** 2;
      if (d < least) [best, least] = [i, d];
    });
    return best;
  }

  inside(polygon) {
    const path = new Path2D();
    for (const [x, y] of polygon) path.lineTo(x, y);
    path.closePath();
    const pen = this.canvas.getContext("2d");
    const [xs, ys] = [0, 1].map((axis) => polygon.map((p) => p[axis]));
    const [left, top, right, bottom] = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
    const out = [];
    this.each((i, px, py) => {
      if (px >= left && px <= right && py >= top && py <= bottom && pen.isPointInPath(path, px, py, "evenodd")) out.push(i);
    });
    return out;
  }
}

// A color "#rrggbb" as the four bytes of a pixel.
function inkOf(color) {
  const bytes = new Uint8Array([...[1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)), 255]);
  return new Uint32Array(bytes.buffer)[0];
}

function discOf(radius) {
  const out = [];
  const r = Math.floor(radius);
  for (let dy = -r; dy <= r; dy++) {
    for (let dx = -r; dx <= r; dx++) if (dx * dx + dy * dy <= radius * radius) out.push(dx, dy);
  }
  return Int16Array.from(out);
}
