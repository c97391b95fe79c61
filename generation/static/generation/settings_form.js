// The form of the Create page: its values, how they depend on each other, and where
// they are kept. Emits "change" whenever a value is another one.

import { element, find, findAll, later, setText } from "../pingvas/js/dom.js";
import { say } from "../pingvas/js/words.js";

const GRID = 8;
const SMALLEST = 64;
const LARGEST_SEED = 2 ** 32 - 1;
const DEFAULTS = {
  prompt: "",
  negative_prompt: "",
  width: 512,
  height: 512,
  count: 1,
  steps: 20,
  cfg_scale: 7.5,
  sampler: "euler_a",
  seed: null,
  locked: false,
};
const NUMBERS = ["width", "height", "steps", "cfg_scale", "seed"];
const PLAIN = ["prompt", "negative_prompt", "model", "sampler", ...NUMBERS];

const rounded = (pixels) => Math.round(pixels / GRID) * GRID;
const onGrid = (pixels) => Math.max(SMALLEST, rounded(pixels));

export class SettingsForm extends EventTarget {
  constructor(form) {
    super();
    this.form = form;
    this.samplers = JSON.parse(find("#samplers").textContent);
    this.storageKey = `pingvas.create.${document.body.dataset.user}`;
    this.fill({ ...DEFAULTS, ...this.#kept() });
    form.addEventListener("input", (event) => this.#edited(event.target));
    form.addEventListener("change", (event) => this.#settled(event.target));
    find("#swap").addEventListener("click", () => this.#swap());
    find("#dice").addEventListener("click", () => this.#roll());
    find("#lock").addEventListener("click", () => this.#toggleLock());
    this.announce = later(() => this.dispatchEvent(new Event("change")), 200);
  }

  field(name) {
    return this.form.elements.namedItem(name);
  }

  get values() {
    const read = (name) => this.field(name)?.value ?? "";
    const values = Object.fromEntries(PLAIN.map((name) => [name, read(name)]));
    for (const name of NUMBERS) {
      values[name] = values[name] === "" ? null : Number(values[name]);
    }
    values.count = Number(read("count"));
    values.locked = find("#lock").getAttribute("aria-pressed") === "true";
    return values;
  }

  // The body of a submission; -1 asks for a random seed.
  get spec() {
    const { count, seed, locked, ...rest } = this.values;
    const first = seed ?? 0;
    const seeds = Array.from({ length: count }, (_, index) =>
      locked ? (first + index) % (LARGEST_SEED + 1) : -1,
    );
    return { ...rest, seeds };
  }

  fill(values) {
    const { count, locked, ...plain } = values;
    for (const [name, value] of Object.entries(plain)) {
      const field = this.field(name);
      if (!field || !PLAIN.includes(name) || name === "sampler") continue;
      if (name === "model" && !this.#canUse(value)) continue;
      field.value = value ?? "";
    }
    if (count !== undefined) this.field("count").value = String(count);
    if (locked !== undefined) find("#lock").setAttribute("aria-pressed", String(locked));
    this.#offerSamplers(plain.sampler);
    this.#follow();
    this.announce?.();
  }

  // Errors at other fields than `fields` are taken away, but for those of `kept`.
  showErrors(fields, kept = []) {
    for (const place of findAll(".error", this.form)) {
      const name = place.id.replace(/-error$/, "");
      if (kept.includes(name)) continue;
      const key = Object.keys(fields).find((field) => field.split(".")[0] === name);
      setText(place, key ? fields[key].join(" ") : "");
      const field = this.field(name === "seeds" ? "seed" : name);
      field?.setAttribute("aria-invalid", String(Boolean(key)));
    }
  }

  focusFirstError() {
    find('[aria-invalid="true"]', this.form)?.focus();
  }

  #kept() {
    try {
      return JSON.parse(localStorage.getItem(this.storageKey)) ?? {};
    } catch {
      return {};
    }
  }

  #keep() {
    try {
      localStorage.setItem(this.storageKey, JSON.stringify(this.values));
    } catch {
      // A browser without storage forgets the settings, and nothing else.
    }
  }

  #canUse(model) {
    return findAll("#model option").some((o) => o.value === model && !o.disabled);
  }

  #edited(target) {
    const error = target.name && find(`#${target.name}-error`);
    if (error) {
      setText(error, "");
      target.setAttribute("aria-invalid", "false");
    }
    if (target.dataset.for) this.field(target.dataset.for).value = target.value;
    if (target.name === "ratio" || target.name === "side") this.#resize();
    if (target.name === "model") this.#offerSamplers(this.field("sampler").value);
    if (target.name === "seed") find("#lock").setAttribute("aria-pressed", "true");
    this.#follow();
    this.announce();
  }

  #settled(target) {
    const isSide = target.name === "width" || target.name === "height";
    if (!isSide || target.value === "") return;
    target.value = onGrid(Number(target.value));
    this.#edited(target);
  }

  #resize() {
    const side = Number(this.field("side").value) || Math.max(this.values.width, this.values.height);
    const [across, down] = (this.field("ratio").value || "1:1").split(":").map(Number);
    const scale = side / Math.max(across, down);
    this.field("width").value = onGrid(across * scale);
    this.field("height").value = onGrid(down * scale);
  }

  // What only mirrors other values: shape, longest side, sliders, the seed's hint.
  #follow() {
    const { width, height, steps, cfg_scale: guidance, locked } = this.values;
    for (const radio of findAll('[name="ratio"]', this.form)) {
      const [across, down] = radio.value.split(":").map(Number);
      const longest = Math.max(width, height) / Math.max(across, down);
      radio.checked = rounded(across * longest) === width && rounded(down * longest) === height;
    }
    const side = this.field("side");
    const longest = String(Math.max(width, height));
    side.value = [...side.options].some((o) => o.value === longest) ? longest : "";
    find('[data-for="steps"]').value = steps ?? 1;
    find('[data-for="cfg_scale"]').value = guidance ?? 1;
    this.field("seed").placeholder = locked ? "0" : say("seed_random");
    setText(find("#seed-hint"), locked ? say("seed_locked") : "");
    this.#keep();
  }

  #offerSamplers(chosen) {
    const base = find("#model")?.selectedOptions[0]?.dataset.base;
    const known = this.samplers[base] ?? [];
    const options = known.map(([name, label]) => element("option", { value: name }, label));
    this.field("sampler").replaceChildren(...options);
    const fits = known.some(([name]) => name === chosen);
    this.field("sampler").value = fits ? chosen : (known[0]?.[0] ?? "");
  }

  #swap() {
    const { width, height } = this.values;
    this.fill({ width: height, height: width });
  }

  #roll() {
    const [seed] = crypto.getRandomValues(new Uint32Array(1));
    this.fill({ seed, locked: true });
  }

  #toggleLock() {
    const { seed, locked } = this.values;
    if (!locked && seed === null) this.#roll();
    else this.fill({ locked: !locked, seed: locked ? null : seed });
  }
}
