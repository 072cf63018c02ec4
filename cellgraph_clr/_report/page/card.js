// The card: what was asked about, what was found, small pictures of it, and a table to take away.

const MOST_LISTED = 100;
const THUMBS = 8;
const MOST_NUMBERS = 6; // measurements that a card names
const MOST_CLASSES = 6; // columns of classes that a card names

// A column of True and False.
function isFlag(column) {
  return column.kind === "classes" && column.names.every((name) => name === "True" || name === "False");
}

class Card {
  constructor(holder, page) {
    this.holder = holder;
    this.page = page;
    this.tab = "cells";
    this.empty();
  }

  empty() {
    const text = this.page.codes
      ? "Click a cell, or draw a lasso (Shift and drag), to find what is most like it."
      : "Click a cell to see what is known of it. There are no vectors to search by.";
    this.holder.replaceChildren(element("h2", { textContent: "Selection" }), element("p", { className: "empty", textContent: text }));
  }

  show(answer) {
    this.answer = answer;
    const { query } = answer;
    const title = query.length === 1 ? this.page.nameOf(query[0]) : `${query.length.toLocaleString("en")} cells`;
    const clear = element("button", { type: "button", className: "small", textContent: "Clear" });
    clear.addEventListener("click", () => this.page.clear());
    this.list = element("div", { role: "tabpanel" });
    const parts = [element("h2", {}, element("span", { textContent: title }), clear), this.facts(query)];
    if (answer.found) parts.push(this.tabs(), this.list);
    this.holder.replaceChildren(...parts);
    if (answer.found) this.fill();
  }

  // Class and confidence first, then what sets the cell apart most; of several cells the commonest classes and the means.
  facts(query) {
    const list = element("dl", { className: "facts" });
    const line = (name, text) => list.append(element("dt", { textContent: name, title: name }), element("dd", { textContent: text }));
    if (this.page.sample) {
      const samples = new Set(query.map((row) => this.page.sample[row]));
      line("sample", samples.size === 1 ? about.samples[[...samples][0]].name : `${samples.size} samples`);
    }
    const flags = [];
    let told = 0;
    for (const { column, values } of this.page.classes) {
      const count = new Map();
      for (const row of query) count.set(values[row], (count.get(values[row]) ?? 0) + 1);
      const [code, n] = [...count].sort((a, b) => b[1] - a[1])[0];
      if (isFlag(column)) {
        if (column.names[code] === "True") flags.push(column.name);
        continue;
      }
      if (told++ >= MOST_CLASSES) continue;
      line(column.name, query.length === 1 ? column.names[code] : `${column.names[code]} (${Math.round((100 * n) / query.length)} %)`);
    }
    if (flags.length) line("true of it", flags.join(", "));
    const numbers = this.page.told
      .filter(({ column }) => column.kind === "numbers")
      .map(({ column, values }) => {
        const known = query.filter((row) => Number.isFinite(values[row]));
        const mean = known.reduce((sum, row) => sum + values[row], 0) / known.length;
        const confidence = column.name.endsWith("_confidence");
        return { column, mean, far: confidence ? Infinity : Math.abs(mean - column.mean) / (column.spread || Infinity) };
      })
      .filter(({ mean }) => Number.isFinite(mean))
      .sort((a, b) => b.far - a.far);
    for (const { column, mean } of numbers.slice(0, MOST_NUMBERS)) line(column.name, withUnit(column, mean));
    if (numbers.length > MOST_NUMBERS) list.title = "The measurements that differ most from the mean of all cells";
    return list;
  }

  tabs() {
    const { answer } = this;
    const row = element("div", { className: "tabs", role: "tablist", "aria-label": "What was found" });
    const kinds = [["cells", `Cells (${answer.found.length})`]];
    if (answer.regions) kinds.push(["regions", `Regions (${answer.regions.length})`]);
    if (!answer.regions) this.tab = "cells";
    for (const [tab, text] of kinds) {
      const button = element("button", { type: "button", role: "tab", textContent: text, "aria-selected": String(tab === this.tab) });
      button.addEventListener("click", () => this.choose(tab));
      button.dataset.tab = tab;
      row.append(button);
    }
    const k = element("input", { type: "number", min: 1, max: 5000, value: this.page.k });
    k.addEventListener("change", () => this.page.setK(Number(k.value)));
    this.kField = element("label", { hidden: this.tab !== "cells" }, "k", k);
    const outer = element("div", { className: "tabs" }, row, this.kField);
    row.className = "row";
    row.style.marginTop = "0";
    return outer;
  }

  choose(tab) {
    this.tab = tab;
    for (const button of this.holder.querySelectorAll("[role=tab]")) {
      button.setAttribute("aria-selected", String(button.dataset.tab === tab));
    }
    this.kField.hidden = tab !== "cells";
    this.fill();
    this.page.marked();
  }

  fill() {
    const { answer, page } = this;
    const cells = this.tab === "cells";
    const entries = cells
      ? answer.found.map((row) => ({ rows: [row], row, text: page.nameOf(row), score: answer.scores[row] }))
      : answer.regions.map((r) => ({ rows: r.rows, row: r.rows[0], text: `${r.rows.length} cells${page.sample ? `, ${about.samples[page.sample[r.rows[0]]].name}` : ""}`, score: r.score }));
    const thumbs = element("ul", { className: "thumbs" });
    for (const [i, entry] of entries.slice(0, THUMBS).entries()) {
      const canvas = element("canvas", { width: 144, height: 144 });
      if (!page.draw(canvas, entry.rows)) break;
      const button = element("button", { type: "button", title: `${entry.text}, similarity ${entry.score.toFixed(3)}` }, canvas, element("span", { textContent: `${i + 1} · ${entry.score.toFixed(2)}` }));
      button.addEventListener("click", () => page.goTo(i));
      thumbs.append(element("li", {}, button));
    }
    const list = element("ol", { className: "found" });
    for (const [i, entry] of entries.slice(0, MOST_LISTED).entries()) {
      const button = element(
        "button",
        { type: "button" },
        element("span", { className: "rank", textContent: String(i + 1) }),
        element("span", { textContent: entry.text }),
        element("span", { className: "score", textContent: entry.score.toFixed(3) }),
      );
      button.addEventListener("click", () => page.goTo(i));
      list.append(element("li", {}, button));
    }
    this.items = list;
    const csv = element("button", { type: "button", className: "main small", textContent: "Download CSV" });
    csv.addEventListener("click", () => this.download());
    const link = element("button", { type: "button", className: "small", textContent: "Copy link" });
    link.addEventListener("click", () => page.copyLink(link));
    const nothing = element("p", { className: "empty", textContent: "No region of five cells or more is like this." });
    this.list.replaceChildren(thumbs, element("div", { className: "row" }, csv, link), entries.length ? list : nothing);
  }

  current(i) {
    for (const [j, item] of [...(this.items?.children ?? [])].entries()) {
      item.firstChild.setAttribute("aria-current", String(i === j));
      if (i === j) item.scrollIntoView({ block: "nearest" });
    }
  }

  // One line a cell: the query first (rank 0), then what was found, with its region where regions were asked for.
  table() {
    const { answer, page } = this;
    const cells = this.tab === "cells";
    const lines = [["rank", ...page.identity.map(([name]) => name), "similarity", ...(cells ? [] : ["region"])]];
    const add = (rank, row, more) => lines.push([rank, ...page.identity.map(([, of]) => of(row)), answer.scores[row].toFixed(5), ...more]);
    for (const row of answer.query) add(0, row, cells ? [] : [0]);
    if (cells) answer.found.forEach((row, i) => add(i + 1, row, []));
    else answer.regions.forEach((region, i) => region.rows.forEach((row) => add(i + 1, row, [i + 1])));
    return lines.map((line) => line.map(quoted).join(",")).join("\n") + "\n";
  }

  download() {
    const url = URL.createObjectURL(new Blob([this.table()], { type: "text/csv" }));
    element("a", { href: url, download: `${this.tab}_like_${this.answer.query.length === 1 ? "one" : this.answer.query.length}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }
}

// A field of a CSV; what a spreadsheet would take as a formula is text.
function quoted(value) {
  let text = String(value);
  if (/^[=+@\t\r]|^-(?!\d)/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
