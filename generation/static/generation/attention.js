// Says in the title, and by a notification where allowed, what happens in the back.

import { find } from "../pingvas/js/dom.js";
import { say } from "../pingvas/js/words.js";
import { isLive, portion } from "./job.js";

export class Attention {
  #title = document.title;
  // The words for what ended while nobody looked.
  #unseen = null;

  constructor() {
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      this.#unseen = null;
      document.title = this.#title;
    });
    this.#offerNotifications();
  }

  show(jobs) {
    const live = jobs.filter(isLive);
    if (live.length) {
      const done = live.reduce((sum, job) => sum + portion(job), 0) / live.length;
      document.title = say("title_running", { percent: Math.round(done * 100) });
    } else {
      document.title = this.#unseen ? say(`title_${this.#unseen}`) : this.#title;
    }
  }

  ended(job) {
    if (!document.hidden || job.status === "cancelled") return;
    this.#unseen = job.status === "completed" ? "done" : "failed";
    if (globalThis.Notification?.permission !== "granted") return;
    // One for a whole submission.
    const words = say(`notify_${this.#unseen}`);
    const told = new Notification(words, { body: job.prompt, tag: job.submission_id });
    told.onclick = () => {
      focus();
      told.close();
    };
  }

  #offerNotifications() {
    if (globalThis.Notification?.permission !== "default" || !isSecureContext) return;
    const button = find("#notify");
    button.hidden = false;
    button.addEventListener("click", async () => {
      button.hidden = (await Notification.requestPermission()) !== "default";
    });
  }
}
