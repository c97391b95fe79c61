// The jobs of the page: read once, then kept by events, and read again after a gap.

import { api } from "../pingvas/js/api.js";
import { find, setText, toast } from "../pingvas/js/dom.js";
import { EventStream } from "../pingvas/js/events.js";
import { errorText, say } from "../pingvas/js/words.js";
import { Attention } from "./attention.js";
import { Card } from "./card.js";
import { apply, isLive, isWaiting } from "./job.js";

const SHOWN = 20;
const TICK = 1000;
// While the socket is away the jobs are asked for this often.
const READ_EVERY = 2000;
const PLACE_EVERY = 4000;
// So many jobs may be asked for at each of these times; more are asked for less often.
const AT_ONCE = 4;
// A job that nothing was heard of for so long is asked for, whatever the socket says.
const SILENCE = 15_000;

export class Feed {
  #jobs = new Map();
  #cards = new Map();
  #stream = new EventStream();
  #attention = new Attention();
  #reading = null;
  #isStale = false;
  #isRead = false;
  #readAt = 0;
  #placeAt = 0;
  #handlers;

  constructor(handlers) {
    this.#handlers = handlers;
  }

  start() {
    this.#stream.addEventListener("event", ({ detail }) => this.#hear(detail));
    this.#stream.addEventListener("resync", () => this.#read());
    this.#stream.addEventListener("state", ({ detail }) => this.#connection(detail));
    addEventListener("online", () => this.#comeBack());
    addEventListener("offline", () => this.#showOffline());
    addEventListener("pageshow", (event) => event.persisted && this.#comeBack());
    find("#feed-error button").addEventListener("click", () => this.#read());
    this.#stream.open();
    this.#read();
    setInterval(() => this.#tick(), TICK);
  }

  add(jobs) {
    for (const job of jobs) this.#take(job);
    this.#draw();
    this.#placeAt = 0;
  }

  // What is being read may be older than the wish to read: then it is read once more.
  #read() {
    if (this.#reading) this.#isStale = true;
    else this.#reading = this.#readNow().finally(() => this.#hasRead());
  }

  #hasRead() {
    this.#reading = null;
    if (this.#isStale) this.#read();
  }

  // The network is back, or the page, which the browser kept while the reader was away.
  #comeBack() {
    this.#stream.hurry();
    this.#showOffline();
    this.#read();
  }

  async #readNow() {
    const asked = performance.now();
    this.#readAt = asked;
    this.#isStale = false;
    try {
      const { results } = await api.get(`submissions?limit=${SHOWN}`);
      const jobs = results.flatMap((submission) => submission.jobs);
      const details = await Promise.all(jobs.map((job) => this.#withProgress(job)));
      for (const job of details.reverse()) this.#take(job, asked);
      this.#isRead = true;
      find("#feed-error").hidden = true;
      find("#feed-end").hidden = results.length < SHOWN;
    } catch (error) {
      if (!this.#isRead) this.#cannotRead(error);
    }
    this.#draw();
  }

  async #withProgress(job) {
    if (job.status !== "in_progress") return job;
    return api.get(`jobs/${job.id}`);
  }

  #cannotRead(error) {
    const place = find("#feed-error");
    setText(find("span", place), errorText(error));
    place.hidden = false;
  }

  // What an event told after `asked` is newer than what was read then.
  #take(job, asked = Infinity) {
    const known = this.#jobs.get(job.id);
    if (known && known.toldAt > asked) return;
    const next = { ...apply(known, job), heardAt: performance.now() };
    this.#jobs.set(job.id, next);
    if (known && isLive(known) && !isLive(next)) this.#ended(next);
  }

  #hear(frame) {
    if (frame.type === "credits.changed") {
      this.#handlers.onCredits(frame.data.available);
      return;
    }
    const known = this.#jobs.get(frame.job_id);
    if (!known) {
      // Submitted in another tab.
      this.#read();
      return;
    }
    const now = performance.now();
    const next = { ...apply(known, fromEvent(frame)), toldAt: now, heardAt: now };
    this.#jobs.set(known.id, next);
    if (isLive(known) && !isLive(next)) this.#ended(next);
    this.#draw();
  }

  #ended(job) {
    this.#handlers.onMoneyMoved();
    this.#attention.ended(job);
  }

  #connection(isOpen) {
    if (isOpen) find("#offline").hidden = true;
    else setTimeout(() => this.#showOffline(), 3000);
    // The first reading may have come before the socket heard anything.
    if (isOpen) this.#read();
  }

  #showOffline() {
    const notice = find("#offline");
    setText(notice, say("offline"));
    notice.hidden = this.#stream.isOpen && navigator.onLine;
  }

  #mustAsk(now) {
    const live = [...this.#jobs.values()].filter(isLive);
    const isSilent = live.some((job) => !isWaiting(job) && now - job.heardAt > SILENCE);
    return isSilent || (!this.#stream.isOpen && (live.length || !this.#isRead));
  }

  #tick() {
    const now = performance.now();
    const running = this.#count((job) => job.status === "in_progress");
    const isDue = !this.#reading && now - this.#readAt > READ_EVERY * crowd(running);
    if (isDue && this.#mustAsk(now)) this.#read();
    const waiting = this.#count(isWaiting);
    if (now - this.#placeAt > PLACE_EVERY * crowd(waiting) && !document.hidden) {
      this.#placeAt = now;
      this.#askPlaces();
    }
    for (const card of this.#cards.values()) card.tick();
    this.#attention.show([...this.#jobs.values()]);
  }

  #count(isMeant) {
    return [...this.#jobs.values()].filter(isMeant).length;
  }

  async #askPlaces() {
    const waiting = new Map();
    for (const job of this.#jobs.values()) {
      if (isWaiting(job)) waiting.set(job.submission_id, job.id);
    }
    for (const id of waiting.values()) {
      const asked = performance.now();
      const job = await api.get(`jobs/${id}`).catch(() => null);
      if (job) this.#take(job, asked);
    }
    if (waiting.size) this.#draw();
  }

  #draw() {
    const submissions = Map.groupBy(this.#jobs.values(), (job) => job.submission_id);
    const newest = [...submissions].sort(([, a], [, b]) => (a[0].created_at < b[0].created_at ? 1 : -1));
    const place = find("#jobs");
    for (const [id, jobs] of newest) {
      jobs.sort((a, b) => a.batch_index - b.batch_index);
      if (!this.#cards.has(id)) this.#cards.set(id, this.#newCard());
      this.#cards.get(id).show(jobs);
    }
    const order = newest.map(([id]) => this.#cards.get(id).node);
    // Moves only new cards: focus and pictures stay where they are.
    order.forEach((node, index) => {
      if (place.children[index] !== node) place.insertBefore(node, place.children[index] ?? null);
    });
    find("#no-jobs").hidden = !this.#isRead || order.length > 0;
    this.#attention.show([...this.#jobs.values()]);
  }

  #newCard() {
    return new Card({
      onCancel: (jobs) => this.#cancel(jobs),
      onRetry: (job) => this.#retry(job),
      onReuse: this.#handlers.onReuse,
    });
  }

  async #cancel(jobs) {
    try {
      this.add((await api.post(`submissions/${jobs[0].submission_id}/cancel`)).jobs);
    } catch (error) {
      toast(errorText(error));
      this.#draw();
    }
  }

  async #retry(job) {
    try {
      this.add((await api.post(`jobs/${job.id}/retry`)).jobs);
    } catch (error) {
      toast(errorText(error));
    }
  }
}

const crowd = (count) => Math.max(1, count / AT_ONCE);

// What a frame says, in the words of a job.
function fromEvent({ type, data }) {
  if (type === "job.progress") {
    return { status: "in_progress", progress: data };
  }
  const told = { status: data.status };
  if (type === "job.started") Object.assign(told, { queue: null, heard_at: Date.now() });
  if (data.attempt) told.attempt = data.attempt;
  if (type === "job.completed") told.image_id = data.image_id;
  if (type === "job.failed") Object.assign(told, { error_code: data.code, error_message: data.message });
  if ("charge" in data) told.credits_consumed = data.charge;
  return told;
}
