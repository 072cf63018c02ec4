// The page: what is shown (color, sample, plane, filter), what was asked, and how both reach the maps, the card and the address.

const byId = (id) => document.getElementById(id);
const GAP = 0.12; // between samples, in sides of the largest
const TOLD = 80; // columns whose values the card knows

class Page {
  constructor() {
    this.k = 50;
    this.hiddenCodes = new Set();
    this.plane = "xy";
    this.slab = [0.5, 1];
    this.answer = null;
    this.at = -1;
    this.codes = null;
    this.graph = null;
    this.told = [];
    this.classes = [];
    this.sheets = null;
  }

  async start() {
    const [ids, names, sample] = await Promise.all(["cell_id", "names", "sample"].map(unpack));
    this.ids = ids ?? (await unpack("ids")) ?? names;
    this.names = names;
    this.sample = sample;
    this.identity = [[about.ids, (row) => this.ids[row]]];
    if (sample) this.identity.push(["library_id", (row) => about.samples[sample[row]].name]);
    if (names && about.ids === "cell_id") this.identity.push(["obs_names", (row) => names[row]]);
    this.column = about.columns.find((c) => c.name === about.color);
    this.colored = this.column
      ? await coloring(this.column)
      : { colors: new Uint8Array(about.n), palette: [about.grey], values: new Uint8Array(about.n) };
    this.card = new Card(byId("card"), this);
    this.controls();
    await this.startMaps();
    this.legend();
    this.say(this.summary());
    performance.mark("painted");
    document.documentElement.dataset.ready = "maps";
    await this.prepareSearch();
    await this.prepareCard();
    this.card.empty();
    await this.followLink();
    document.documentElement.dataset.ready = "all";
    window.addEventListener("hashchange", () => this.followLink());
  }

  summary() {
    const some = about.n < about.n_total ? ` of ${about.n_total.toLocaleString("en")}, drawn so that rare classes stay` : "";
    return `${about.n.toLocaleString("en")} cells${some}.`;
  }

  say(text) {
    byId("status").textContent = text;
  }

  nameOf(row) {
    const id = this.ids?.[row] ?? row;
    return about.ids === "cell_id" ? `cell ${id}` : String(id);
  }

  // --- maps ---

  async startMaps() {
    const options = {
      onAsk: (rows) => this.ask(rows),
      onOver: (row, map) => this.over(row, map),
      onFlat: () => (byId("flat").hidden = false),
      sign: about.position?.sign ?? "",
    };
    this.maps = [];
    if (about.position) {
      this.xyz = await coordinates(about.position);
      byId("tissue").hidden = false;
      this.tissue = new CellMap(byId("tissue"), { ...options, scaled: true });
      this.maps.push(this.tissue);
    }
    if (about.embedding) {
      const flat = await coordinates(about.embedding);
      byId("embedding").hidden = false;
      byId("embedding-name").textContent = about.embedding.name;
      this.embedding = new CellMap(byId("embedding"), { ...options, scaled: false });
      this.maps.push(this.embedding);
      this.embedding.place(flat.u, flat.v.map((v) => -v));
    }
    document.querySelector(".stage-row").classList.toggle("single", this.maps.length < 2);
    if (this.tissue) {
      this.layOut();
      await this.prepareLayers();
    }
    for (const map of this.maps) await map.start(this.colored.colors, this.colored.palette);
    let hover;
    window.addEventListener("mousemove", (event) => {
      hover = event;
      const tip = byId("tip");
      if (!tip.hidden) this.moveTip(hover);
    });
  }

  // Samples lie side by side on a grid; frames and samples never share a place.
  layOut() {
    const x = this.xyz[this.plane[0]];
    const y = this.xyz[this.plane[1]];
    const n = about.samples.length;
    const code = this.sample ?? new Uint8Array(about.n);
    const box = Array.from({ length: n }, () => [Infinity, Infinity, -Infinity, -Infinity]);
    for (let i = 0; i < about.n; i++) {
      const b = box[code[i]];
      b[0] = Math.min(b[0], x[i]);
      b[1] = Math.min(b[1], y[i]);
      b[2] = Math.max(b[2], x[i]);
      b[3] = Math.max(b[3], y[i]);
    }
    const filled = box.filter((b) => b[2] >= b[0]);
    const width = (1 + GAP) * Math.max(...filled.map((b) => b[2] - b[0]), 1e-30);
    const height = (1 + GAP) * Math.max(...filled.map((b) => b[3] - b[1]), 1e-30);
    const columns = Math.max(1, Math.round(Math.sqrt((n * height) / width)));
    this.offset = box.map((b, s) => (n > 1 ? [(s % columns) * width - b[0], Math.floor(s / columns) * height - b[1]] : [0, 0]));
    this.boxes = box.map((b, s) => [b[0] + this.offset[s][0], b[1] + this.offset[s][1], b[2] + this.offset[s][0], b[3] + this.offset[s][1]]);
    const px = Float32Array.from(x, (v, i) => v + this.offset[code[i]][0]);
    const py = Float32Array.from(y, (v, i) => v + this.offset[code[i]][1]);
    this.tissue.place(px, py);
    const areas = filled.reduce((sum, b) => sum + (b[2] - b[0]) * (b[3] - b[1]), 0);
    this.tissue.apart = Math.sqrt(areas / about.n) || this.tissue.apart;
    byId("tissue").querySelector(".hint").textContent = about.position.axes.length === 3 ? `${this.plane} projection` : "";
  }

  async prepareLayers() {
    const held = await Promise.all(
      about.samples.map(async (sample, s) => {
        if (!sample.picture) return null;
        const image = new Image();
        image.src = sample.picture.url;
        await image.decode();
        return { image, sample: s, box: sample.picture.box };
      }),
    );
    this.pictures = held.filter(Boolean);
    byId("picture-field").hidden = this.pictures.length === 0 && !about.sheets;
    const layers = this.tissue.layers;
    layers.pictures = () => (this.plane === "xy" && byId("picture").checked ? this.pictures.map((p) => ({ image: p.image, box: this.moved(p) })) : []);
    if (about.samples.length > 1) {
      layers.names = () => about.samples.map((s, i) => ({ text: s.name, x: (this.boxes[i][0] + this.boxes[i][2]) / 2, y: this.boxes[i][1] })).filter((s) => Number.isFinite(s.x));
    }
    if (about.outlines) this.outlines = await outlinesOf();
    this.outline();
  }

  // Outlines in the map: of volumes those of the middle section of every cell, in a slab of the plane they lie in.
  outline() {
    const flat = about.position.axes.length < 3;
    this.tissue.between = flat ? undefined : this.apart();
    this.tissue.layers.outlines = flat || (this.plane === "xy" && this.slab[1] < 1) ? this.outlines : undefined;
  }

  moved({ sample, box }) {
    const [dx, dy] = this.offset[sample];
    return [box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy];
  }

  over(row, map) {
    const tip = byId("tip");
    tip.hidden = row < 0;
    if (row < 0) return;
    const value = this.column ? this.valueOf(this.column, this.colored.values, row) : "";
    tip.textContent = value ? `${this.nameOf(row)} · ${value}` : this.nameOf(row);
    const [px, py] = map.toPixel(map.data.x[row], map.data.y[row]);
    const box = map.stage.getBoundingClientRect();
    this.moveTip({ clientX: box.left + px, clientY: box.top + py });
  }

  moveTip({ clientX, clientY }) {
    const tip = byId("tip");
    tip.style.left = `${Math.min(clientX + 14, window.innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.min(clientY + 14, window.innerHeight - tip.offsetHeight - 8)}px`;
  }

  valueOf(column, values, row) {
    return column.kind === "classes" ? column.names[values[row]] : withUnit(column, values[row]);
  }

  // --- what is shown ---

  controls() {
    const select = byId("color");
    const groups = [
      ["Classes", (c) => c.kind === "classes"],
      ["Numbers of cells", (c) => c.kind === "numbers" && c.source === "obs"],
      ["Measured features", (c) => c.kind === "numbers" && c.source === "feature"],
    ];
    for (const [label, belongs] of groups) {
      const group = element("optgroup", { label });
      for (const [i, column] of about.columns.entries()) {
        if (belongs(column)) group.append(element("option", { value: String(i), textContent: column.name, selected: column === this.column }));
      }
      if (group.children.length) select.append(group);
    }
    select.addEventListener("change", () => this.colorBy(about.columns[Number(select.value)]));
    if (about.samples.length > 1) {
      byId("sample-field").hidden = false;
      byId("sample").append(element("option", { value: "", textContent: "all" }), ...about.samples.map((s, i) => element("option", { value: String(i), textContent: s.name })));
      byId("sample").addEventListener("change", () => this.goToSample());
    }
    if (about.position?.axes.length === 3) {
      byId("projection").hidden = byId("slab").hidden = false;
      for (const button of byId("projection").children) button.addEventListener("click", () => this.project(button.dataset.projection));
      byId("slab-at").addEventListener("input", () => this.setSlab());
      byId("slab-width").addEventListener("change", () => this.setSlab());
    }
    for (const button of byId("mode").children) button.addEventListener("click", () => this.setMode(button.dataset.mode));
    byId("fit").addEventListener("click", () => {
      for (const map of this.maps) map.fit();
    });
    byId("picture").addEventListener("change", () => this.restyle());
    byId("find-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.find(byId("find").value.trim());
    });
    byId("theme").addEventListener("click", () => this.switchTheme());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.restyle());
    document.addEventListener("keydown", (event) => this.key(event));
  }

  async colorBy(column) {
    if (!column) return;
    this.column = column;
    byId("color").value = String(about.columns.indexOf(column));
    this.hiddenCodes = new Set();
    this.colored = await coloring(column);
    this.legend();
    for (const map of this.maps) await map.color(this.colored.colors, this.colored.palette);
    await this.filter();
    this.remember();
  }

  legend() {
    if (!this.column) return byId("legend").replaceChildren(element("p", { textContent: "Nothing to color by." }));
    const parts = this.column.kind === "classes" ? classLegend(this.column, this.hiddenCodes, () => this.filter()) : numberLegend(this.column);
    byId("legend").replaceChildren(...parts);
  }

  // The rows that legend and slab leave; both maps show the same.
  async filter() {
    if (this.tissue) this.outline();
    const inSlab = this.slabTest();
    let rows = null;
    if (this.hiddenCodes.size || inSlab) {
      rows = [];
      const codes = this.colored.values;
      for (let i = 0; i < about.n; i++) {
        if (!(this.hiddenCodes.size && this.hiddenCodes.has(codes[i])) && (!inSlab || inSlab(i))) rows.push(i);
      }
    }
    for (const map of this.maps) await map.show(rows);
    this.say(rows === null ? this.summary() : `${rows.length.toLocaleString("en")} of ${about.n.toLocaleString("en")} cells are shown.`);
  }

  slabTest() {
    const [at, width] = this.slab;
    if (width >= 1 || about.position?.axes.length !== 3) return null;
    const axis = [..."xyz"].find((a) => !this.plane.includes(a));
    const values = this.xyz[axis];
    const [low, high] = ends(values);
    const middle = low + (high - low) * (width / 2 + at * (1 - width));
    const reach = ((high - low) * width) / 2;
    return (row) => Math.abs(values[row] - middle) <= reach;
  }

  setSlab() {
    this.slab = [Number(byId("slab-at").value), Number(byId("slab-width").value)];
    clearTimeout(this.slabWaits);
    this.slabWaits = setTimeout(() => this.filter().then(() => this.remember()), 60);
  }

  async project(plane) {
    this.plane = plane;
    for (const button of byId("projection").children) button.setAttribute("aria-pressed", String(button.dataset.projection === plane));
    this.layOut();
    await this.tissue.color(this.colored.colors, this.colored.palette);
    this.tissue.fit();
    await this.filter();
    if (this.answer) this.card.fill();
    this.remember();
  }

  goToSample() {
    const s = byId("sample").value;
    this.tissue?.fit(s === "" ? undefined : this.boxes[Number(s)]);
    this.remember();
  }

  setMode(mode) {
    for (const button of byId("mode").children) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    for (const map of this.maps) map.setMode(mode);
    this.mode = mode;
  }

  switchTheme() {
    const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    this.restyle();
  }

  restyle() {
    for (const map of this.maps) map.restyle();
    if (this.answer?.found) this.card.fill();
  }

  // --- what is asked ---

  async prepareSearch() {
    if (!about.codes) return;
    this.codes = await unpack("codes");
    const count = await unpack("edge_count");
    if (count) this.graph = neighborLists(count, await unpack("edge_step"));
  }

  async prepareCard() {
    for (const column of about.columns.slice(0, TOLD)) this.told.push({ column, values: await unpack(column.block) });
    if (about.sheets && this.tissue) this.sheets = await Promise.all(about.sheets.urls.map(bitmapOf));
    const rank = ({ column }) => (column === this.column ? 0 : /_pred$|^leiden$|^gmm$/.test(column.name) ? 1 : 2);
    this.classes = this.told.filter(({ column }) => column.kind === "classes").sort((a, b) => rank(a) - rank(b));
  }

  ask(rows) {
    if (rows.length === 0) return;
    const answer = { query: rows, found: null, scores: null, regions: null };
    if (this.codes) {
      const isQuery = new Uint8Array(about.n);
      for (const row of rows) isQuery[row] = 1;
      answer.scores = similarity(this.codes, about.codes, rows);
      answer.found = highest(answer.scores, this.k, isQuery);
      if (this.graph) answer.regions = regionsLike(answer.scores, rows, isQuery, this.graph);
    }
    this.answer = answer;
    this.at = -1;
    this.card.show(answer);
    this.marked();
    const regions = answer.regions ? ` and ${answer.regions.length} regions` : "";
    const asked = rows.length === 1 ? this.nameOf(rows[0]) : `${rows.length} cells`;
    this.say(answer.found ? `${answer.found.length} cells${regions} like ${asked}.` : `${asked}.`);
    this.remember();
    performance.mark("answered");
  }

  // Regions or cells, whichever tab is open, in both maps.
  marked() {
    const { answer } = this;
    const marks = { query: answer?.query ?? [], found: [], regions: [], at: -1 };
    if (answer?.found && this.card.tab === "cells") marks.found = answer.found;
    if (answer?.regions && this.card.tab === "regions") marks.regions = answer.regions.map((r, i) => ({ ...r, number: i + 1 }));
    if (this.at >= 0) marks.at = marks.found[this.at] ?? marks.regions[this.at]?.rows[0] ?? -1;
    for (const map of this.maps) map.mark(marks);
  }

  clear() {
    this.answer = null;
    this.at = -1;
    this.card.empty();
    this.marked();
    this.say(this.summary());
    this.remember();
  }

  setK(k) {
    if (!Number.isInteger(k) || k < 1) return;
    this.k = Math.min(k, 5000);
    if (this.answer) this.ask(this.answer.query);
  }

  goTo(i) {
    const { answer } = this;
    const list = this.card.tab === "cells" ? answer?.found : answer?.regions;
    if (!list?.length) return;
    this.at = (i + list.length) % list.length;
    this.card.current(this.at);
    this.marked();
    const rows = this.card.tab === "cells" ? [list[this.at]] : list[this.at].rows;
    for (const map of this.maps) this.bring(map, rows);
    this.say(`${this.at + 1} of ${list.length}: ${this.card.tab === "cells" ? this.nameOf(rows[0]) : `a region of ${rows.length} cells`}.`);
  }

  // Move a map so that these cells are in its middle, where they are not well inside already.
  bring(map, rows) {
    const mean = (values) => rows.reduce((sum, row) => sum + values[row], 0) / rows.length;
    const [x, y] = [mean(map.data.x), mean(map.data.y)];
    const [px, py] = map.toPixel(x, y);
    const [width, height] = map.size;
    if (px > 0.08 * width && px < 0.92 * width && py > 0.08 * height && py < 0.92 * height) return;
    const view = map.view.slice();
    view[12] = (-view[0] * (x - map.middle[0])) / map.half;
    view[13] = (view[0] * (y - map.middle[1])) / map.half;
    map.setView(view);
  }

  find(text) {
    if (!text) return;
    let row = this.ids ? [...this.ids].findIndex((id) => String(id) === text) : -1;
    if (row < 0 && this.names) row = this.names.indexOf(text);
    if (row < 0) {
      this.say(`There is no cell ${text}${about.n < about.n_total ? " in this sample" : ""}.`);
      return;
    }
    this.ask([row]);
    for (const map of this.maps) this.bring(map, [row]);
  }

  // A small picture of cells and what is around them; false where there is no place.
  draw(canvas, rows) {
    if (!this.tissue) return false;
    drawAround(canvas, this, rows);
    return true;
  }

  key(event) {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape") {
      if (typing) event.target.blur();
      this.clear();
      return;
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "n") this.goTo(this.at + 1);
    else if (event.key === "p") this.goTo(this.at < 0 ? -1 : this.at - 1);
    else if (event.key === "l") this.setMode(this.mode === "lasso" ? "panZoom" : "lasso");
    else if (event.key === "/") {
      byId("find").focus();
      event.preventDefault();
    }
  }

  // --- the address ---

  remember() {
    const link = new URLSearchParams();
    if (this.column && this.column.name !== about.color) link.set("color", this.column.name);
    if (byId("sample").value) link.set("sample", about.samples[Number(byId("sample").value)].name);
    if (this.plane !== "xy") link.set("plane", this.plane);
    if (this.slab[1] < 1) link.set("slab", this.slab.join(","));
    if (this.k !== 50) link.set("k", String(this.k));
    const query = this.answer?.query ?? [];
    if (query.length && query.length <= 500) {
      for (const row of query) link.append("cell", this.sample ? `${this.ids[row]}@${about.samples[this.sample[row]].name}` : String(this.ids[row]));
    }
    const text = link.toString();
    if (text === location.hash.slice(1)) return;
    history.replaceState(null, "", text ? `#${text}` : "#");
  }

  async followLink() {
    const link = new URLSearchParams(location.hash.slice(1));
    const column = about.columns.find((c) => c.name === link.get("color"));
    const k = Number(link.get("k"));
    if (k) this.k = Math.min(Math.max(Math.round(k), 1), 5000);
    const [at, width] = (link.get("slab") ?? "").split(",").map(Number);
    if (width) {
      this.slab = [at, width];
      byId("slab-at").value = String(at);
      byId("slab-width").value = String(width);
    }
    const wanted = new Set(link.getAll("cell"));
    const plane = link.get("plane");
    if (this.tissue && ["xz", "yz"].includes(plane) && about.position.axes.length === 3 && plane !== this.plane) await this.project(plane);
    if (column && column !== this.column) await this.colorBy(column);
    else if (width) await this.filter();
    const sample = about.samples.findIndex((s) => s.name === link.get("sample"));
    if (sample >= 0 && about.samples.length > 1) {
      byId("sample").value = String(sample);
      this.goToSample();
    }
    if (wanted.size) {
      const rows = [];
      for (let i = 0; i < about.n; i++) {
        if (wanted.has(this.sample ? `${this.ids[i]}@${about.samples[this.sample[i]].name}` : String(this.ids[i]))) rows.push(i);
      }
      this.ask(rows);
    }
  }

  copyLink(button) {
    this.remember();
    const done = () => {
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy link"), 1500);
    };
    if (navigator.clipboard) navigator.clipboard.writeText(location.href).then(done, () => this.say(location.href));
    else this.say(location.href);
  }
}

async function bitmapOf(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return createImageBitmap(image);
}

// The place of a cell in the sheets: which sheet, and left and top of its square; null where there is none.
function squareOf(page, row) {
  const { columns, rows, side, samples } = about.sheets;
  const sample = page.sample ? page.sample[row] : 0;
  if (!samples.includes(sample)) return null;
  page.squares ??= squareNumbers(page, samples);
  const at = page.squares[row];
  const inside = at % (columns * rows);
  return { sheet: page.sheets[Math.floor(at / (columns * rows))], left: (inside % columns) * side, top: Math.floor(inside / columns) * side };
}

// Squares are those of the cells of these samples, in the order of the page.
function squareNumbers(page, samples) {
  const has = Uint8Array.from(about.samples, (_, s) => samples.includes(s));
  const out = new Uint32Array(about.n);
  let next = 0;
  for (let i = 0; i < about.n; i++) out[i] = has[page.sample ? page.sample[i] : 0] ? next++ : 0;
  return out;
}

// Outlines of all cells: where those of a cell start, and their points around its place.
async function outlinesOf() {
  const [count, step] = await Promise.all(["outline_count", "outline_step"].map(unpack));
  const start = new Uint32Array(count.length + 1);
  for (let i = 0; i < count.length; i++) start[i + 1] = start[i] + count[i];
  const x = new Float32Array(step.length / 2);
  const y = new Float32Array(step.length / 2);
  for (let i = 0; i < count.length; i++) {
    let [px, py] = [0, 0];
    for (let at = start[i]; at < start[i + 1]; at++) {
      px += step[2 * at];
      py += step[2 * at + 1];
      x[at] = px * about.outlines.step;
      y[at] = py * about.outlines.step;
    }
  }
  return { start, x, y, reach: reachOf(start, x, y) };
}

// From the middle of a cell to the end of its outline, as nine of ten have it at most.
function reachOf(start, x, y) {
  const far = [];
  for (let i = 0; i + 1 < start.length; i++) {
    let most = 0;
    for (let at = start[i]; at < start[i + 1]; at++) most = Math.max(most, Math.abs(x[at]), Math.abs(y[at]));
    if (most) far.push(most);
  }
  far.sort((a, b) => a - b);
  return far.length ? far[Math.floor(0.9 * (far.length - 1))] : Infinity;
}

// The tissue around some cells: the image where there is one, outlines or points in their colors, the cells themselves ringed.
function drawAround(canvas, page, rows) {
  const map = page.tissue;
  const { x, y } = map.data;
  const pen = canvas.getContext("2d");
  const side = canvas.width;
  const mean = (values) => rows.reduce((sum, row) => sum + values[row], 0) / rows.length;
  const [cx, cy] = [mean(x), mean(y)];
  const outlines = page.plane === "xy" ? page.outlines : undefined;
  const volume = about.position.axes.length === 3;
  const square = page.sheets && page.plane === "xy" && rows.length === 1 && byId("picture").checked ? squareOf(page, rows[0]) : null;
  const between = volume ? page.apart() : map.apart;
  let reach = square ? about.sheets.reach : outlines ? Math.min(1.6 * between, 2 * outlines.reach) : 2.3 * between;
  for (const row of rows) reach = Math.max(reach, 1.25 * Math.abs(x[row] - cx), 1.25 * Math.abs(y[row] - cy));
  const k = side / 2 / reach;
  const toPixel = (px, py) => [side / 2 + (px - cx) * k, side / 2 + (py - cy) * k];
  pen.fillStyle = css("--ground");
  pen.fillRect(0, 0, side, side);
  const pictures = volume ? [] : (map.layers.pictures?.() ?? []); // of a volume they are one plane, that of few cells
  for (const { image, box } of pictures) {
    const [left, top] = toPixel(box[0], box[1]);
    const [right, bottom] = toPixel(box[2], box[3]);
    pen.drawImage(image, left, top, right - left, bottom - top);
  }
  if (square) pen.drawImage(square.sheet, square.left, square.top, about.sheets.side, about.sheets.side, 0, 0, side, side);
  const lit = Boolean(pictures.length || square);
  const chosen = new Set(rows);
  const deep = page.depthTest(rows, reach);
  const dot = Math.max(0.36 * between * k, 2);
  const near = rows.slice(); // those that were found are drawn last, over their neighbors
  for (let i = x.length - 1; i >= 0; i--) {
    if (!chosen.has(i) && Math.abs(x[i] - cx) <= 1.2 * reach && Math.abs(y[i] - cy) <= 1.2 * reach && deep(i)) near.push(i);
  }
  for (const i of near.reverse()) {
    const color = page.colored.palette[page.colored.colors[i]];
    pen.fillStyle = color;
    pen.strokeStyle = color;
    pen.lineWidth = 2;
    const traced = outlines && outlines.start[i] < outlines.start[i + 1];
    if (traced) tracePath(pen, outlines, i, (px, py) => toPixel(x[i] + px, y[i] + py));
    else {
      pen.beginPath();
      pen.arc(...toPixel(x[i], y[i]), lit && !chosen.has(i) ? dot / 2 : dot, 0, 2 * Math.PI);
    }
    pen.globalAlpha = chosen.has(i) ? 0.9 : lit ? 0.35 : 0.55;
    if (!lit) pen.fill();
    else pen.stroke();
    pen.globalAlpha = 1;
    if (chosen.has(i)) {
      ring(pen, css("--query"), 2.5, 2);
    }
  }
}

// About the distance between cells of a volume.
Page.prototype.apart = function apart() {
  if (this.between === undefined) {
    let space = 1;
    for (const axis of "xyz") {
      const [low, high] = ends(this.xyz[axis]);
      space *= Math.max(high - low, 1e-30);
    }
    this.between = Math.cbrt(space / about.n);
  }
  return this.between;
};

// Cells of other planes are not drawn around a cell in 3D.
Page.prototype.depthTest = function depthTest(rows, reach) {
  if (about.position.axes.length !== 3) return () => true;
  const values = this.xyz[[..."xyz"].find((a) => !this.plane.includes(a))];
  const low = Math.min(...rows.slice(0, 1000).map((row) => values[row])) - reach / 2;
  const high = Math.max(...rows.slice(0, 1000).map((row) => values[row])) + reach / 2;
  return (row) => values[row] >= low && values[row] <= high;
};

const page = new Page();
window.cellgraph = page; // for the console and for tests
page.start().catch((error) => {
  page.say(`The maps could not be drawn: ${error.message}. What follows can be read without them.`);
  throw error;
});
