// What the report page uses of regl-scatterplot; `make vendor` bundles it as the global `reglScatterplot`.
import createScatterplot, { createRenderer } from "regl-scatterplot";

export { createRenderer, createScatterplot };
