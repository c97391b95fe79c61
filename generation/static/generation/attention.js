// Says in the title, and by a notification where allowed, what happens in the back.

import { find } from "../pingvas/js/dom.js";
import { say } from "../pingvas/js/words.js";
import { isLive, portion } from "./job.js";

export class Attention {
  #title = document.title;
  #isUnseen = false;

  constructor() {
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#isUnseen = false;
    });
    this.#offerNotifications();
  }

  show(jobs) {
    const live = jobs.filter(isLive);
    if (live.length) {
      const done = live.reduce((sum, job) => sum + portion(job), 0) / live.length;
      document.title = say("title_running", { percent: Math.round(done * 100) });
    } else {
      document.title = this.#isUnseen ? say("title_done") : this.#title;
    }
  }

  done(job) {
    if (!document.hidden) return;
    this.#isUnseen = true;
    if (globalThis.Notification?.permission !== "granted") return;
    // One for a whole submission.
    new Notification(say("notify_done"), { body: job.prompt, tag: job.batch_id });
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
