// One picture of a submission: empty, forming, there, or never to come.

import { element, find, icon } from "../pingvas/js/dom.js";
import { say } from "../pingvas/js/words.js";
import { isLive, portion } from "./job.js";

// Every preview is a request: the more pictures form together, the rarer each is asked
// for, and never before the last one came.
const PREVIEW_EVERY = 400;
// A picture that did not come, because the network was away, is asked for again.
const AGAIN_AFTER = [1000, 2000, 4000, 8000, 15_000, 30_000, 60_000];

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

export class Tile {
  #fill = element("i");
  #bar = element("div", { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, this.#fill);
  #frame = element("div", { class: "tile-frame" });
  // The address of what is in the frame, or on its way there.
  #shown = null;
  #next = null;
  #isFollowing = false;

  constructor(job) {
    this.#frame.style.setProperty("--ratio", job.width / job.height);
    this.#bar.setAttribute("aria-label", job.prompt.slice(0, 80));
    this.node = element("figure", { class: "tile" }, this.#frame, this.#bar);
  }

  show(job) {
    this.node.dataset.status = job.status;
    const done = portion(job);
    this.#bar.hidden = job.status !== "in_progress";
    this.#bar.setAttribute("aria-valuenow", Math.round(done * 100));
    this.#fill.style.transform = `scaleX(${done})`;
    this.#next = null;
    if (job.image_id) this.#showPicture(job);
    else if (!isLive(job)) this.#showNone();
    else if (job.progress?.preview_url) this.#follow(job);
  }

  async #follow(job) {
    this.#next = job;
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    while (this.#next) {
      const newest = this.#next;
      this.#next = null;
      await this.#load(newest.progress.preview_url, say("preview_of", newest), asPreview);
      await pause(PREVIEW_EVERY * newest.batch_size);
    }
    this.#isFollowing = false;
  }

  async #showPicture(job) {
    const address = `/api/v1/images/${job.image_id}`;
    const source = `${address}/thumbnail`;
    if (this.#shown === source) return;
    this.#offerDownload(job, address);
    const asLink = (image) => element("a", { href: `/gallery/${job.image_id}` }, image);
    for (const wait of AGAIN_AFTER) {
      if (await this.#load(source, say("open", job), asLink)) return;
      await pause(wait);
    }
  }

  #offerDownload(job, address) {
    if (find(".save", this.node)) return;
    const name = { title: say("download"), "aria-label": say("download_of", job) };
    const link = { class: "button square save", href: `${address}/download`, download: "", ...name };
    this.node.append(element("a", link, icon("save")));
  }

  #showNone() {
    if (this.#shown === "") return;
    this.#shown = "";
    this.#frame.replaceChildren(icon("close"));
  }

  // The old picture stays until the new one is there. False when it does not come.
  async #load(source, alt, wrap) {
    if (this.#shown === source) return true;
    this.#shown = source;
    const image = element("img", { alt, src: source });
    const isThere = await image.decode().then(() => true, () => false);
    if (this.#shown !== source) return true;
    if (isThere) this.#frame.replaceChildren(wrap(image));
    else this.#shown = null;
    return isThere;
  }
}

function asPreview(image) {
  image.className = "preview";
  return image;
}
