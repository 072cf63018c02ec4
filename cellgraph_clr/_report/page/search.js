// "Where else is something like this?": cells by cosine on int8 codes, regions by the method of `cgc.tl.retrieve_regions`.

// Similarity of all cells to the mean direction of some. Along an axis a direction is the sum of codes (columns × n) times
// their scales over the columns of that axis.
function similarity(codes, { scale, axis }, rows) {
  const n = codes.length / scale.length;
  const mean = new Float64Array(Math.max(...axis) + 1);
  for (const [j, a] of axis.entries()) {
    let sum = 0;
    for (const row of rows) sum += codes[j * n + row];
    mean[a] += sum * scale[j];
  }
  const length = Math.max(Math.hypot(...mean), 1e-12);
  const out = new Float32Array(n);
  for (const [j, a] of axis.entries()) {
    const weight = (mean[a] / length) * scale[j];
    for (let i = 0, at = j * n; i < n; i++, at++) out[i] += codes[at] * weight;
  }
  return out;
}

// Rows of the k highest scores that are not blocked, best first; of equals the first rows.
function highest(scores, k, blocked) {
  const rows = [];
  for (let i = 0; i < scores.length; i++) if (!blocked[i]) rows.push(i);
  if (k < rows.length) {
    const sorted = Float32Array.from(rows, (i) => scores[i]).sort();
    const limit = sorted[sorted.length - k];
    const above = rows.filter((i) => scores[i] > limit);
    const level = rows.filter((i) => scores[i] === limit).slice(0, k - above.length);
    rows.length = 0;
    for (const i of above) rows.push(i);
    for (const i of level) rows.push(i);
  }
  return rows.sort((a, b) => scores[b] - scores[a] || a - b);
}

// Lists of neighbors in both directions from the lists of later ones: {start (n + 1), index}.
function neighborLists(count, step) {
  const n = count.length;
  const later = new Uint32Array(step.length);
  const degree = new Uint32Array(n + 1);
  for (let i = 0, at = 0; i < n; i++) {
    for (let c = 0, j = i; c < count[i]; c++, at++) {
      j += step[at];
      later[at] = j;
      degree[i]++;
      degree[j]++;
    }
  }
  const start = new Uint32Array(n + 1);
  for (let i = 0; i < n; i++) start[i + 1] = start[i] + degree[i];
  const index = new Uint32Array(2 * step.length);
  const filled = start.slice();
  for (let i = 0, at = 0; i < n; i++) {
    for (let c = 0; c < count[i]; c++, at++) {
      index[filled[i]++] = later[at];
      index[filled[later[at]]++] = i;
    }
  }
  return { start, index };
}

// Similarity averaged over a cell and the mean of its neighbors; cells without neighbors keep their own.
function smoothed(scores, graph) {
  const out = new Float64Array(scores.length);
  for (let i = 0; i < scores.length; i++) {
    const from = graph.start[i];
    const to = graph.start[i + 1];
    let sum = 0;
    for (let at = from; at < to; at++) sum += scores[graph.index[at]];
    out[i] = to > from ? 0.5 * scores[i] + (0.5 * sum) / (to - from) : scores[i];
  }
  return out;
}

// The upper of Otsu's two thresholds for three classes, on 256 bins between the least and the most (Liao et al. 2001).
function upperOtsu(values) {
  const BINS = 256;
  let low = Infinity;
  let high = -Infinity;
  for (const v of values) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  const share = new Float64Array(BINS);
  for (const v of values) share[Math.min(Math.floor(((v - low) / (high - low)) * BINS), BINS - 1)] += 1 / values.length;
  const zeroth = new Float64Array(BINS + 1);
  const first = new Float64Array(BINS + 1);
  for (let i = 0; i < BINS; i++) {
    zeroth[i + 1] = zeroth[i] + share[i];
    first[i + 1] = first[i] + i * share[i];
  }
  const between = (a, b) => {
    const weight = zeroth[b + 1] - zeroth[a];
    return weight > 0 ? (first[b + 1] - first[a]) ** 2 / weight : 0;
  };
  let best = -1;
  let at = 0;
  for (let i = 0; i < BINS - 2; i++) {
    for (let j = i + 1; j < BINS - 1; j++) {
      const sigma = between(0, i) + between(i + 1, j) + between(j + 1, BINS - 1);
      if (sigma > best) {
        best = sigma;
        at = j;
      }
    }
  }
  return low + ((at + 0.5) * (high - low)) / BINS;
}

// From which score a cell counts as like the query: what three quarters of its own cells reach, or Otsu's if lower, not below 0.
function regionThreshold(scores, rows, isQuery) {
  const own = rows.map((r) => scores[r]).sort((a, b) => a - b);
  const place = 0.25 * (own.length - 1);
  const below = Math.floor(place);
  const quarter = own[below] + (place - below) * ((own[below + 1] ?? own[below]) - own[below]);
  const others = [];
  const different = new Set();
  for (let i = 0; i < scores.length; i++) {
    if (isQuery[i]) continue;
    others.push(scores[i]);
    if (different.size < 3) different.add(scores[i]);
  }
  if (different.size < 3) return quarter;
  return Math.max(Math.min(quarter, upperOtsu(others)), 0);
}

// Regions grown from the best cells down, each until it would be larger than `most`; its rim begins none (analysis.region_growth).
function grownRegions(order, graph, most) {
  const n = graph.start.length - 1;
  const parent = new Int32Array(n).fill(-1);
  const size = new Int32Array(n);
  const full = new Uint8Array(n);
  const rim = new Uint8Array(n);
  const root = (i) => {
    while (parent[i] !== i) {
      parent[i] = parent[parent[i]];
      i = parent[i];
    }
    return i;
  };
  for (const i of order) {
    const beside = new Set();
    let closed = false;
    for (let at = graph.start[i]; at < graph.start[i + 1]; at++) {
      const j = graph.index[at];
      if (rim[j]) closed = true;
      if (parent[j] < 0) continue;
      const r = root(j);
      if (full[r]) closed = true;
      else beside.add(r);
    }
    let total = 1;
    for (const r of beside) total += size[r];
    if (closed && beside.size === 0) {
      rim[i] = 1;
    } else if (total > most) {
      for (const r of beside) full[r] = 1;
      rim[i] = 1;
    } else {
      parent[i] = i;
      size[i] = total;
      for (const r of beside) parent[r] = i;
    }
  }
  const found = new Map();
  for (let i = 0; i < n; i++) {
    if (parent[i] < 0) continue;
    const r = root(i);
    if (!found.has(r)) found.set(r, []);
    found.get(r).push(i);
  }
  return [...found.values()];
}

// Whether a query is scattered: in pieces of fewer than three cells on average.
function isScattered(rows, isQuery, graph) {
  const seen = new Set();
  let pieces = 0;
  for (const first of rows) {
    if (seen.has(first)) continue;
    pieces++;
    seen.add(first);
    const waiting = [first];
    while (waiting.length) {
      const i = waiting.pop();
      for (let at = graph.start[i]; at < graph.start[i + 1]; at++) {
        const j = graph.index[at];
        if (!isQuery[j] || seen.has(j)) continue;
        seen.add(j);
        waiting.push(j);
      }
    }
  }
  return pieces > 1 && 3 * pieces > rows.length;
}

// Whether more than half of the cells of a region have a neighbor in the query: its rim, not another place.
function isRim(region, isQuery, graph) {
  let beside = 0;
  for (const i of region) {
    let at = graph.start[i];
    while (at < graph.start[i + 1] && !isQuery[graph.index[at]]) at++;
    beside += at < graph.start[i + 1];
  }
  return 2 * beside > region.length;
}

// Connected regions like the query, best mean score first: [{rows, score}].
function regionsLike(scores, rows, isQuery, graph, { least = 5 } = {}) {
  const smooth = smoothed(scores, graph);
  const threshold = regionThreshold(smooth, rows, isQuery);
  const order = [];
  for (let i = 0; i < smooth.length; i++) if (smooth[i] >= threshold && !isQuery[i]) order.push(i);
  order.sort((a, b) => smooth[b] - smooth[a] || a - b);
  const scattered = isScattered(rows, isQuery, graph);
  return grownRegions(order, graph, 2 * Math.max(rows.length, least))
    .filter((region) => region.length >= least && (scattered || !isRim(region, isQuery, graph)))
    .map((region) => ({ rows: region, score: region.reduce((sum, i) => sum + smooth[i], 0) / region.length }))
    .sort((a, b) => b.score - a.score || a.rows[0] - b.rows[0]);
}
