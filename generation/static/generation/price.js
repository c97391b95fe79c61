// The price and the balance before the click, and what would fit when it does not.

import { api } from "../pingvas/js/api.js";
import { element, find, later, setText } from "../pingvas/js/dom.js";
import { duration, errorText, say } from "../pingvas/js/words.js";
import { NAMES, settings } from "./recipe.js";
import { clearRefusal, showRefusal } from "./refusal.js";

// The price does not depend on the words, but an empty prompt is refused.
const ANY_PROMPT = "…";
// A quote is asked for without the words: it knows nothing of their errors.
const WORDS = ["prompt", "negative_prompt"];
// What the price grows with, besides the size.
const PRICED = NAMES.filter((name) => settings[name].priced);
const { grid: MULTIPLE, low: SMALLEST } = settings.width;
// What another moment may mend: no network, too many requests, a part that is away.
const PASSING = new Set([0, 429, 502, 503, 504]);
const AGAIN_AFTER = 5000;

export class Price {
  #settings;
  #asked = null;
  #available = null;
  #quote = null;
  #turn = 0;
  // What the quote was asked for.
  #priced = "";

  constructor(settings) {
    this.#settings = settings;
    settings.addEventListener("change", () => this.ask());
    this.renew = later(() => this.#renew(), 300);
  }

  set available(count) {
    this.#available = count;
    setText(find("#available"), say("available", { count }));
    this.#judge();
  }

  async readBalance() {
    try {
      this.available = (await api.get("credits")).available;
    } catch {
      // The next change of the credits, or the next quote, tries again.
    }
  }

  async ask() {
    this.#asked?.abort();
    this.#asked = new AbortController();
    const { signal } = this.#asked;
    const spec = this.#settings.spec;
    const wish = JSON.stringify({ ...spec, prompt: "", negative_prompt: "" });
    if (!spec.model || wish === this.#priced) return;
    try {
      this.#quote = await this.#ask(spec, signal);
      this.#priced = this.#quote ? wish : "";
    } catch (error) {
      if (error.name === "AbortError") return;
      this.#refused(error);
    }
    if (this.#available === null) await this.readBalance();
    this.#show();
    this.#judge();
  }

  // A job has ended: the balance is another, and so may be the measured price.
  #renew() {
    this.#priced = "";
    this.ask();
    this.readBalance();
  }

  // What is wrong by itself is named without asking.
  async #ask(spec, signal) {
    const { problems } = this.#settings;
    const found = Object.keys(problems).length ? null : await quote(spec, signal);
    this.#settings.showErrors(problems, WORDS);
    return found;
  }

  #refused(error) {
    this.#quote = null;
    this.#priced = "";
    const isModel = error.code === "model_not_in_tier";
    this.#settings.showErrors(isModel ? { model: [errorText(error)] } : (error.fields ?? {}), WORDS);
    if (PASSING.has(error.status)) setTimeout(() => this.ask(), AGAIN_AFTER);
  }

  #show() {
    const found = this.#quote;
    if (!found) {
      setText(find("#price"), say("price_unknown"));
      setText(find("#price-detail"), "");
      return;
    }
    const time = duration(found.seconds);
    const detail = found.pictures > 1 ? "price_each" : "price_ceiling";
    setText(find("#price"), say("price", { total: found.total }));
    setText(find("#price-detail"), say(detail, { ...found, time }));
  }

  #judge() {
    if (!this.#quote || this.#available === null) return;
    const { total: needed } = this.#quote;
    const missing = needed - this.#available;
    this.#turn += 1;
    if (missing <= 0) clearRefusal("insufficient_credits");
    else this.#refuse({ needed, missing });
  }

  // Says how many credits are missing, and offers settings that would fit.
  async #refuse({ needed, missing }) {
    const turn = this.#turn;
    showRefusal("insufficient_credits", say("missing", { needed, missing }));
    const offers = await this.#fitting();
    // The settings or the credits are others by now.
    if (turn !== this.#turn) return;
    const buttons = offers.map(({ name, change }) =>
      element(
        "button",
        { class: "button", type: "button", onclick: () => this.#settings.fill(change) },
        say(name, change),
      ),
    );
    const none = element("a", { href: find("#available").href }, say("nothing_fits"));
    find("#refusal .row").replaceChildren(...(buttons.length ? buttons : [none]));
  }

  async #fitting() {
    const found = this.#quote;
    const spec = this.#settings.spec;
    const available = this.#available ?? 0;
    if (!found) return [];
    const offers = [];
    const counts = [...this.#settings.field("count")].map((radio) => Number(radio.value));
    const count = Math.max(0, ...counts.filter((n) => n * found.credits <= available));
    if (count) offers.push({ name: "fit_pictures", change: { count } });
    const share = available / found.total;
    const fewer = PRICED.map((name) => {
      const value = Math.floor(spec[name] * share * 0.9);
      return { name: `fit_${name}`, change: { [name]: value }, isPossible: value >= settings[name].low };
    });
    const width = shrink(spec.width, share);
    const height = shrink(spec.height, share);
    const others = [
      ...fewer,
      { name: "fit_size", change: { width, height }, isPossible: Math.min(width, height) >= SMALLEST },
    ];
    const possible = others.filter((offer) => offer.isPossible);
    const fitting = possible.map(({ change }) => fits({ ...spec, ...change }, available));
    const answers = await Promise.all(fitting);
    return [...offers, ...possible.filter((_, index) => answers[index])];
  }
}

function quote(spec, signal) {
  return api.post("jobs/quote", { ...spec, prompt: ANY_PROMPT }, { signal });
}

// The server is asked: only it knows the price.
async function fits(spec, available) {
  try {
    return (await quote(spec)).total <= available;
  } catch {
    return false;
  }
}

function shrink(side, share) {
  return Math.floor((side * Math.sqrt(share * 0.9)) / MULTIPLE) * MULTIPLE;
}
