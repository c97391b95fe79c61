// The form of the Create page: its values, how they depend on each other, and where
// they are kept. Emits "change" whenever a value is another one.

import { element, find, findAll, later, setText } from "../pingvas/js/dom.js";
import { say } from "../pingvas/js/words.js";
import { NAMES, NUMBERS, readable, samplers, settings, USUAL_SIDE } from "./recipe.js";
import { hasShape, isNear, onGrid, sidesAround, sizeOf } from "./sizes.js";

const USUAL = Object.fromEntries(NAMES.map((name) => [name, readable(name, settings[name].usual)]));
// The first model that is offered is chosen, and the model says its size.
const { model, width, height, ...ALIKE } = USUAL;
const DEFAULTS = { ...ALIKE, count: 1, seed: null, locked: false, advanced_params: null };
const SIDES = new Set(["width", "height"]);
const isOptional = (name) => settings[name].optional || name === "seed";
// The server's name of a field, where it is another one.
const KEYS = { seed: "seeds" };

export class SettingsForm extends EventTarget {
  // The own side of the model for which sizes are offered.
  #native = null;
  // What a picture was asked for besides: carried along as it is.
  #advanced = null;

  constructor(form) {
    super();
    this.form = form;
    this.storageKey = `pingvas.create.${document.body.dataset.user}`;
    this.longestSide = Number(form.dataset.longestSide);
    const kept = this.#kept();
    this.fill({ ...DEFAULTS, ...kept });
    if (!(kept.width && kept.height)) this.#resize(this.#ownSide());
    form.addEventListener("input", (event) => this.#edited(event.target));
    form.addEventListener("change", (event) => this.#settled(event.target));
    find("#without-advanced").addEventListener("click", () => this.fill({ advanced_params: null }));
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
    const values = Object.fromEntries(NAMES.map((name) => [name, read(name)]));
    for (const name of NUMBERS) {
      values[name] = values[name] === "" ? null : Number(values[name]);
    }
    values.count = Number(read("count"));
    values.advanced_params = this.#advanced;
    values.locked = find("#lock").getAttribute("aria-pressed") === "true";
    return values;
  }

  // The body of a submission; -1 asks for a random seed.
  get spec() {
    const { count, seed, locked, advanced_params: advanced, ...rest } = this.values;
    const first = seed ?? 0;
    const seeds = Array.from({ length: count }, (_, index) =>
      locked ? (first + index) % (settings.seed.high + 1) : -1,
    );
    return { ...rest, seeds, ...(advanced && { advanced_params: advanced }) };
  }

  // What the server would refuse, by field, in the words of this page.
  get problems() {
    const found = NUMBERS.map((name) => [KEYS[name] ?? name, this.#problem(name)]);
    return Object.fromEntries(found.filter(([, words]) => words).map(([key, words]) => [key, [words]]));
  }

  #problem(name) {
    const field = this.field(name);
    const value = this.values[name];
    if (value === null) {
      const isWrong = field.validity.badInput || !isOptional(name);
      return isWrong ? say("number_needed") : "";
    }
    const [low, high] = [Number(field.min), Number(field.max)];
    if (SIDES.has(name) && value > this.longestSide && value <= high) {
      return say("side_over", { side: String(this.longestSide) });
    }
    if (value < low || value > high) return say("number_between", { low, high });
    const isWhole = field.step !== "1" || Number.isInteger(value);
    return isWhole ? "" : say("number_whole");
  }

  // A model that is not there, or not open to the user, leaves the chosen one.
  fill(values) {
    const { count, locked, advanced_params: advanced, ...plain } = values;
    if (advanced !== undefined) this.#advanced = advanced;
    for (const [name, value] of Object.entries(plain)) {
      const field = this.field(name);
      if (!field || !NAMES.includes(name) || name === "sampler") continue;
      if (name === "model" && !this.#canUse(value)) continue;
      field.value = value ?? "";
    }
    if (count !== undefined) this.field("count").value = String(count);
    if (locked !== undefined) find("#lock").setAttribute("aria-pressed", String(locked));
    this.#offerSamplers(plain.sampler ?? this.field("sampler").value);
    this.#offerSides();
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

  get #model() {
    return find("#model")?.selectedOptions[0];
  }

  #canUse(model) {
    return findAll("#model option").some((o) => o.value === model && !o.disabled);
  }

  #ownSide() {
    return Math.min(this.#native, this.longestSide);
  }

  #longest() {
    const { width, height } = this.values;
    return Math.max(width, height);
  }

  #edited(target) {
    const error = target.name && find(`#${target.name}-error`);
    if (error) {
      setText(error, "");
      target.setAttribute("aria-invalid", "false");
    }
    if (target.dataset.for) this.field(target.dataset.for).value = target.value;
    if (target.name === "ratio") this.#resize(this.#longest());
    if (target.name === "side") this.#resize(Number(target.value));
    if (target.name === "model") this.#changeModel();
    if (target.name === "seed") find("#lock").setAttribute("aria-pressed", "true");
    this.#follow();
    this.announce();
  }

  #settled(target) {
    if (!SIDES.has(target.name) || target.value === "") return;
    target.value = onGrid(Number(target.value));
    this.#edited(target);
  }

  // Whoever had the old model's own size gets the new one's.
  #changeModel() {
    const wasOwn = this.#longest() === this.#ownSide();
    this.#offerSamplers(this.field("sampler").value);
    this.#offerSides();
    if (wasOwn) this.#resize(this.#ownSide());
  }

  #resize(longest) {
    const size = sizeOf(this.field("ratio").value || "1:1", longest);
    this.field("width").value = size.width;
    this.field("height").value = size.height;
    this.#follow();
  }

  // What only mirrors other values: shape, side, sliders, the hints.
  #follow() {
    const { width, height, locked, ...values } = this.values;
    for (const radio of findAll('[name="ratio"]', this.form)) {
      radio.checked = hasShape(radio.value, { width, height });
    }
    for (const radio of findAll('[name="side"]', this.form)) {
      radio.checked = Number(radio.value) === this.#longest();
    }
    setText(find("#size-hint"), this.#sizeHint());
    for (const slider of findAll("[data-for]", this.form)) {
      slider.value = values[slider.dataset.for] ?? slider.min;
    }
    this.#showAdvanced();
    this.field("seed").placeholder = locked ? "0" : say("seed_random");
    setText(find("#seed-hint"), say(locked ? "seed_locked" : "seed_free"));
    this.#keep();
  }

  // What has no field here is named, and may be taken away.
  #showAdvanced() {
    const { version, ...others } = this.#advanced ?? {};
    const names = Object.keys(others);
    find("#advanced").hidden = !names.length;
    setText(find("#advanced span"), say("advanced", { names: names.join(", ") }));
  }

  #sizeHint() {
    const native = this.#native;
    const isOwn = isNear(this.#longest(), native);
    const hint = say(isOwn ? "side_own" : "side_far", { native: String(native) });
    const isLimited = sidesAround(native).some((side) => side > this.longestSide);
    const side = String(this.longestSide);
    return isLimited ? `${hint} ${say("side_limit", { side })}` : hint;
  }

  #offerSides() {
    const native = Number(this.#model?.dataset.native) || USUAL_SIDE;
    if (native === this.#native) return;
    this.#native = native;
    const choices = sidesAround(native).map((side) => {
      const disabled = side > this.longestSide;
      const radio = element("input", { type: "radio", name: "side", value: side, disabled });
      const title = disabled ? say("side_limit", { side: String(this.longestSide) }) : null;
      return element("label", { title }, radio, element("span", {}, String(side)));
    });
    find("#sides").replaceChildren(...choices);
  }

  #offerSamplers(chosen) {
    const known = samplers[this.#model?.dataset.base] ?? [];
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
