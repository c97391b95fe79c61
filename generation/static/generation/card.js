// One submission: its pictures as they form, what can be done, and what it cost.

import { element, icon, setText } from "../pingvas/js/dom.js";
import { duration, say } from "../pingvas/js/words.js";
import { isLive, isWaiting, secondsRunning, settingsOf, variationOf } from "./job.js";
import { SAMPLER_LABELS } from "./recipe.js";
import { Tile } from "./tile.js";

const CANCELLED_WITHIN = 5000;
const sum = (jobs, count) => jobs.reduce((total, job) => total + (count(job) ?? 0), 0);

export class Card {
  #jobs = [];
  #tiles = new Map();
  #parts;
  #isCancelling = false;

  constructor({ onCancel, onRetry, onReuse }) {
    const button = (name, symbol, run, kind = "quiet") =>
      element("button", { class: `button ${kind}`, type: "button", onclick: run }, icon(symbol), say(name));
    const cancel = () => {
      this.#isCancelling = true;
      this.#showActions();
      onCancel(this.#jobs.filter(isLive));
      setTimeout(() => this.#stopCancelling(), CANCELLED_WITHIN);
    };
    this.#parts = {
      prompt: element("h3", { class: "job-prompt" }),
      summary: element("p", { class: "job-summary" }),
      tiles: element("div", { class: "tiles" }),
      state: element("span", { class: "job-state", role: "status" }),
      detail: element("span", { class: "job-detail" }),
      charge: element("span", { class: "job-charge" }),
      cancel: button("cancel", "close", cancel),
      retry: button("retry", "again", () => this.#jobs.filter(hasFailed).forEach(onRetry), "plain"),
      reuse: button("reuse", "reuse", () => onReuse(settingsOf(this.#jobs[0]))),
      vary: button("vary", "dice", () => onReuse(variationOf(this.#jobs[0]))),
    };
    const { prompt, summary, tiles, state, detail, charge, ...buttons } = this.#parts;
    this.node = element(
      "article",
      { class: "job panel" },
      element("header", {}, prompt, summary),
      tiles,
      element("p", { class: "job-line" }, state, detail, charge),
      element("div", { class: "row" }, ...Object.values(buttons)),
    );
  }

  show(jobs) {
    this.#jobs = jobs;
    const [first] = jobs;
    setText(this.#parts.prompt, first.prompt);
    setText(this.#parts.summary, `${say("summary", first)} · ${settingsLine(first)}`);
    const count = String(Math.min(jobs.length, 4));
    this.node.dataset.count = this.#parts.tiles.dataset.count = count;
    for (const job of jobs) this.#tile(job).show(job);
    this.node.dataset.status = this.#status();
    this.node.toggleAttribute("data-bare", !jobs.some((job) => isLive(job) || job.image_id));
    this.#showActions();
    this.tick();
  }

  // What changes with the clock alone.
  tick() {
    setText(this.#parts.state, this.#stateText());
    setText(this.#parts.detail, this.#detailText());
    setText(this.#parts.charge, this.#chargeText());
  }

  #stopCancelling() {
    this.#isCancelling = false;
    this.#showActions();
  }

  #tile(job) {
    if (!this.#tiles.has(job.id)) {
      const tile = new Tile(job);
      this.#tiles.set(job.id, tile);
      this.#parts.tiles.append(tile.node);
    }
    return this.#tiles.get(job.id);
  }

  #status() {
    const has = (status) => this.#jobs.some((job) => job.status === status);
    if (has("in_progress")) return "in_progress";
    return ["queued", "pending", "completed", "failed"].find(has) ?? "cancelled";
  }

  #showActions() {
    const { cancel, retry, reuse, vary } = this.#parts;
    const live = this.#jobs.some(isLive);
    cancel.hidden = !live;
    cancel.disabled = this.#isCancelling;
    cancel.lastChild.textContent = say(this.#isCancelling ? "cancelling" : "cancel");
    retry.hidden = live || !this.#jobs.some(hasFailed);
    reuse.hidden = vary.hidden = live;
  }

  #stateText() {
    const status = this.#status();
    if (status !== "in_progress") return say(status);
    const progress = this.#jobs.find((job) => job.progress)?.progress;
    if (!progress?.step) return say("loading");
    if (progress.step >= progress.total_steps) return say("finishing");
    return say("step", { step: progress.step, total: progress.total_steps });
  }

  #detailText() {
    const running = this.#jobs.find((job) => job.status === "in_progress");
    if (running) return say("time", { time: duration(secondsRunning(running)) });
    const waiting = this.#jobs.find((job) => isWaiting(job) && job.queue);
    if (waiting) return placeText(waiting.queue);
    const failed = this.#jobs.find(hasFailed);
    return failed ? failureText(failed) : "";
  }

  #chargeText() {
    const held = sum(this.#jobs, (job) => job.quoted_credits);
    if (this.#jobs.some(isLive)) return say("held", { count: held });
    const charged = sum(this.#jobs, (job) => job.credits_consumed);
    if (!charged) return say("nothing_charged");
    const released = held - charged;
    return say(released ? "charged_released" : "charged", { charged, released });
  }
}

const hasFailed = (job) => job.status === "failed";

function settingsLine(job) {
  const guidance = job.cfg_scale === null ? say("no_guidance") : String(Number(job.cfg_scale));
  const sampler = SAMPLER_LABELS.get(job.sampler) ?? job.sampler;
  return say("settings", { model: job.model, sampler, guidance });
}

function placeText({ ahead, workers, expected_wait: wait }) {
  if (!workers) return say("no_worker");
  const place = ahead ? say("ahead", { count: ahead }) : say("next");
  return wait ? `${place}, ${say("expected", { time: duration(wait) })}` : place;
}

function failureText({ error_code: code }) {
  const name = `error.${code}`;
  const words = say(name);
  return words === name ? say("error.unknown") : words;
}
