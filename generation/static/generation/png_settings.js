// The settings that one of our PNG files carries, read without decoding a pixel.
// `gallery/metadata.py` writes them: a text chunk with a JSON object and its version.

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const CHUNK = "pingvas_metadata";
const VERSION = 1;
const LARGEST_FILE = 32 * 1024 * 1024;
const LONGEST_CHUNK = 128 * 1024;
const LONGEST_PROMPT = 4000;
const RANGES = {
  width: [64, 2048],
  height: [64, 2048],
  steps: [1, 150],
  seed: [0, 2 ** 32 - 1],
};

// `code` names the sentence that says what is wrong with the file.
export class PictureError extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

export async function readSettings(file) {
  if (file.size > LARGEST_FILE) throw new PictureError("picture_too_large");
  const content = await file.arrayBuffer().catch(() => new ArrayBuffer(0));
  return checked(record(ownText(new Uint8Array(content))));
}

function ownText(bytes) {
  if (SIGNATURE.some((byte, index) => bytes[index] !== byte)) {
    throw new PictureError("picture_no_png");
  }
  let text = null;
  for (const { type, data, isSound } of chunks(bytes)) {
    const found = type === "tEXt" ? plainText(data) : type === "iTXt" ? unicodeText(data) : null;
    if (found === null) continue;
    if (!isSound()) throw new PictureError("picture_broken");
    text ??= found;
  }
  if (text === null) throw new PictureError("picture_foreign");
  return text;
}

// A file that ends before its last chunk was cut off on its way.
function* chunks(bytes) {
  const view = new DataView(bytes.buffer);
  let at = SIGNATURE.length;
  while (at + 12 <= bytes.length) {
    const length = view.getUint32(at);
    const end = at + 8 + length;
    if (end + 4 > bytes.length) break;
    const type = latin(bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 4, end);
    const sum = view.getUint32(end);
    yield { type, data: bytes.subarray(at + 8, end), isSound: () => crc(body) === sum };
    if (type === "IEND") return;
    at = end + 4;
  }
  throw new PictureError("picture_broken");
}

const latin = (bytes) => String.fromCharCode(...bytes);

// The value of our own chunk after its name and a zero; null for any other.
function ownValue(data) {
  const isOurs = [...CHUNK].every((letter, index) => data[index] === letter.charCodeAt(0));
  const isNamed = isOurs && data[CHUNK.length] === 0 && data.length < LONGEST_CHUNK;
  return isNamed ? data.subarray(CHUNK.length + 1) : null;
}

function plainText(data) {
  const value = ownValue(data);
  return value && new TextDecoder("latin1").decode(value);
}

// Two bytes about compression, a language and a translated name, each ended by a zero.
function unicodeText(data) {
  const value = ownValue(data);
  if (!value) return null;
  const language = value.indexOf(0, 2);
  const start = value.indexOf(0, language + 1) + 1;
  if (value[0] !== 0 || language < 0 || start === 0) throw new PictureError("picture_broken");
  return new TextDecoder().decode(value.subarray(start));
}

function record(text) {
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    throw new PictureError("picture_broken");
  }
  if (typeof found?.prompt !== "string") throw new PictureError("picture_foreign");
  if (found.version !== VERSION) throw new PictureError("picture_other_version");
  return found;
}

// Whoever made the file may have written anything: only what makes sense is taken.
function checked(found) {
  const settings = {};
  for (const name of ["prompt", "negative_prompt", "model", "sampler"]) {
    const value = found[name];
    if (typeof value === "string" && value.length <= LONGEST_PROMPT) settings[name] = value;
  }
  for (const [name, [least, most]] of Object.entries(RANGES)) {
    const value = found[name];
    if (Number.isInteger(value) && value >= least && value <= most) settings[name] = value;
  }
  const { cfg_scale: guidance } = found;
  if (guidance === null || (guidance >= 1 && guidance <= 20)) settings.cfg_scale = guidance;
  return { negative_prompt: "", ...settings, count: 1, locked: settings.seed !== undefined };
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}
