// One picture of a submission: empty, forming, or there.

import { element, find, icon } from "../pingvas/js/dom.js";
import { say } from "../pingvas/js/words.js";
import { isLive, portion } from "./job.js";

export class Tile {
  #fill = element("i");
  #bar = element("div", { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, this.#fill);
  #frame = element("div", { class: "tile-frame" });
  #shown = null;

  constructor(job) {
    this.#frame.style.aspectRatio = `${job.width} / ${job.height}`;
    this.#bar.setAttribute("aria-label", job.prompt.slice(0, 80));
    this.node = element("figure", { class: "tile" }, this.#frame, this.#bar);
  }

  show(job) {
    this.node.dataset.status = job.status;
    const done = portion(job);
    this.#bar.hidden = job.status !== "in_progress";
    this.#bar.setAttribute("aria-valuenow", Math.round(done * 100));
    this.#fill.style.transform = `scaleX(${done})`;
    if (job.image_id) this.#showPicture(job);
    else if (isLive(job) && job.progress?.preview_url) this.#showPreview(job);
    else if (!isLive(job)) this.#frame.replaceChildren();
  }

  #showPreview(job) {
    this.#load(job.progress.preview_url, say("preview_of", job), (image) => {
      image.className = "preview";
      return image;
    });
  }

  #showPicture(job) {
    const address = `/api/v1/images/${job.image_id}`;
    this.#load(`${address}/thumbnail`, say("open", job), (image) =>
      element("a", { href: `/gallery/${job.image_id}` }, image),
    );
    if (find(".save", this.node)) return;
    const name = { title: say("download"), "aria-label": say("download_of", job) };
    const link = { class: "button square save", href: `${address}/download`, download: "", ...name };
    this.node.append(element("a", link, icon("save")));
  }

  // The old picture stays until the new one is there.
  #load(source, alt, wrap) {
    if (this.#shown === source) return;
    this.#shown = source;
    const image = element("img", { alt });
    image.onload = () => {
      if (this.#shown === source) this.#frame.replaceChildren(wrap(image));
    };
    image.src = source;
  }
}
