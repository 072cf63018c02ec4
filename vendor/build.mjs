// Bundles regl-scatterplot into the package, with the licenses of all that is in the bundle. Run by `make vendor`.
import { build } from "esbuild";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const target = "../cellgraph_clr/_report/vendor";
await build({
  entryPoints: ["entry.js"],
  bundle: true,
  minify: true,
  format: "iife",
  globalName: "reglScatterplot",
  legalComments: "none",
  charset: "ascii",
  outfile: join(target, "regl-scatterplot.min.js"),
});

// What is needed, directly or not: published bundles of these packages hold others.
const packages = new Set();
const waiting = Object.keys(about("..").dependencies);
while (waiting.length) {
  const name = waiting.pop();
  if (packages.has(name)) continue;
  packages.add(name);
  waiting.push(...Object.keys(about(name).dependencies ?? {}));
}

function about(name) {
  return JSON.parse(readFileSync(join("node_modules", name, "package.json"), "utf8"));
}

const notices = [...packages].sort().map((name) => {
  const folder = join("node_modules", name);
  const { version, license } = about(name);
  const file = readdirSync(folder).find((f) => /^licen[cs]e/i.test(f));
  const text = file && existsSync(join(folder, file)) ? readFileSync(join(folder, file), "utf8").trim() : "";
  return `${name} ${version} (${license})\n\n${text}\n`;
});
writeFileSync(join(target, "LICENSES.txt"), `regl-scatterplot.min.js is a bundle of these packages of npm.\n\n${notices.join(`\n${"-".repeat(80)}\n\n`)}`);
