// What cells are colored by: a palette and one index into it a cell, and the legend that filters.

const RAMP = about.ramp; // colors of numbers from low to high
const STEPS = RAMP.length;

function formatted(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) return value.toExponential(2);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return value.toLocaleString("en", { maximumSignificantDigits: size >= 1000 ? 5 : 4 });
}

function withUnit(column, value) {
  return column.unit && Number.isFinite(value) ? `${formatted(value)} ${column.unit}` : formatted(value);
}

// Index of the color of every cell, and the palette: the classes', or grey and the ramp.
async function coloring(column) {
  const values = await unpack(column.block);
  if (column.kind === "classes") return { colors: values, palette: [...column.colors, about.grey], values };
  const scale = (STEPS - 1) / (column.high - column.low || 1);
  const colors = Uint8Array.from(values, (v) =>
    Number.isFinite(v) ? 1 + Math.min(Math.max(Math.round((v - column.low) * scale), 0), STEPS - 1) : 0,
  );
  return { colors, palette: [about.grey, ...RAMP], values };
}

function element(tag, properties = {}, ...children) {
  const out = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") out.setAttribute(name, value);
    else out[name] = value;
  }
  out.append(...children);
  return out;
}

// The legend of classes: a button each, pressed while its cells are shown. `onChange` gets the set of hidden codes.
function classLegend(column, hidden, onChange) {
  const list = element("ul");
  const all = element("button", { type: "button", className: "small", textContent: "Show all", hidden: hidden.size === 0 });
  const entries = column.names.map((name, code) => ({ name, code, n: column.count[code] })).filter((e) => e.n > 0);
  const buttons = new Map();
  const change = () => {
    for (const [code, button] of buttons) button.setAttribute("aria-pressed", String(!hidden.has(code)));
    all.hidden = hidden.size === 0;
    onChange(hidden);
  };
  for (const { name, code, n } of entries) {
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = column.colors[code];
    const button = element(
      "button",
      { type: "button", title: `${name}: click hides or shows, double click shows it alone`, "aria-pressed": String(!hidden.has(code)) },
      swatch,
      element("span", { className: "label", textContent: name }),
      element("span", { className: "number", textContent: n.toLocaleString("en") }),
    );
    button.addEventListener("click", () => {
      if (hidden.has(code)) hidden.delete(code);
      else hidden.add(code);
      change();
    });
    button.addEventListener("dblclick", () => {
      hidden.clear();
      for (const other of entries) if (other.code !== code) hidden.add(other.code);
      change();
    });
    buttons.set(code, button);
    list.append(element("li", {}, button));
  }
  all.addEventListener("click", () => {
    hidden.clear();
    change();
  });
  return [element("h2", {}, element("span", { textContent: column.name }), all), list];
}

function numberLegend(column) {
  const ramp = element("canvas", { className: "ramp", width: STEPS, height: 1 });
  const pen = ramp.getContext("2d");
  for (const [i, color] of RAMP.entries()) {
    pen.fillStyle = color;
    pen.fillRect(i, 0, 1, 1);
  }
  ramp.setAttribute("role", "img");
  ramp.setAttribute("aria-label", `Colors from ${withUnit(column, column.low)} to ${withUnit(column, column.high)}`);
  const title = column.unit ? `${column.name} (${column.unit})` : column.name;
  return [
    element("h2", {}, element("span", { textContent: title })),
    ramp,
    element("div", { className: "ends" }, element("span", { textContent: formatted(column.low) }), element("span", { textContent: formatted(column.high) })),
    element("p", { className: "hint", textContent: "1 % and 99 % of the cells lie below the ends; grey: no value" }),
  ];
}
