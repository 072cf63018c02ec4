// Arrays of the page: base64 of compressed bytes in <script type="application/octet-stream">, turned back when first asked for.

const about = JSON.parse(document.getElementById("about").textContent);
const unpacked = new Map();

const KINDS = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
};

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64);
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

// The first bytes of all values come first, then the second ones: put those of one value together again.
function unshuffled(bytes, Kind) {
  const size = Kind.BYTES_PER_ELEMENT;
  if (size === 1) return new Kind(bytes.buffer);
  const n = bytes.length / size;
  const out = new Uint8Array(bytes.length);
  for (let b = 0; b < size; b++) {
    for (let i = 0, at = b, from = b * n; i < n; i++, at += size) out[at] = bytes[from + i];
  }
  return new Kind(out.buffer);
}

async function unpack(name) {
  if (!(name in about.blocks)) return null;
  if (!unpacked.has(name)) unpacked.set(name, unpackNow(name));
  return unpacked.get(name);
}

async function unpackNow(name) {
  const holder = document.getElementById(`block-${name}`);
  const packed = bytesOf(holder.textContent.trim());
  holder.remove(); // the text is not needed again
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const { kind } = about.blocks[name];
  if (kind === "text") return new TextDecoder().decode(bytes).split("\n");
  return unshuffled(bytes, KINDS[kind]);
}

// Coordinates were stored as steps between the least and the most of an axis.
async function coordinates(place) {
  const out = {};
  for (const [i, axis] of [...place.axes].entries()) {
    const steps = await unpack(axis);
    out[axis] = Float32Array.from(steps, (s) => place.low[i] + s * place.step[i]);
  }
  return out;
}
