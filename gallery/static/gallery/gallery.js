// The wall of pictures: page by page as one scrolls, and deleting that can be undone.

import { api } from "../pingvas/js/api.js";
import { element, find, setText, toast } from "../pingvas/js/dom.js";
import { errorText, say } from "../pingvas/js/words.js";

const PAGE = 30;
const EAGER = 12;
const UNDO_SECONDS = 6;
// Left by a picture's own page when its delete button was pressed.
const DOOMED = "pingvas.doomed";

const wall = find("#wall");
let next = "";
let isLoading = false;
let doomed = null;

function tile(image, position) {
  const prompt = image.metadata?.prompt ?? "";
  const picture = element("img", {
    src: image.thumbnail_url,
    alt: say("picture_of", { prompt }),
    width: image.width,
    height: image.height,
    loading: position < EAGER ? "eager" : "lazy",
    decoding: "async",
  });
  const link = element("a", { href: `/gallery/${image.id}`, title: prompt }, picture);
  return element("li", { id: `image-${image.id}`, hidden: image.id === doomed?.id }, link);
}

async function load() {
  if (isLoading || next === null) return;
  isLoading = true;
  find("#wall-error").hidden = true;
  try {
    const after = next ? `&after=${encodeURIComponent(next)}` : "";
    const page = await api.get(`images?limit=${PAGE}${after}`);
    const before = wall.children.length;
    wall.append(...page.results.map((image, index) => tile(image, before + index)));
    next = page.next;
    wall.toggleAttribute("data-more", next !== null);
    showEmpty();
  } catch (error) {
    setText(find("#wall-error span"), errorText(error));
    find("#wall-error").hidden = false;
    return;
  } finally {
    isLoading = false;
  }
  // A tall screen may still show the end: the observer tells of changes alone.
  if (isEndNear()) load();
}

function isEndNear() {
  return find("#sentinel").getBoundingClientRect().top < innerHeight + 800;
}

function showEmpty() {
  const shown = [...wall.children].some((item) => !item.hidden);
  find("#no-images").hidden = shown || next !== null;
}

function doom(id) {
  sessionStorage.removeItem(DOOMED);
  doomed = { id, timer: setTimeout(destroy, UNDO_SECONDS * 1000) };
  toast(say("deleted"), { seconds: UNDO_SECONDS, action: { name: say("undo"), run: spare } });
}

function spare() {
  clearTimeout(doomed.timer);
  const item = find(`#image-${CSS.escape(doomed.id)}`);
  if (item) item.hidden = false;
  doomed = null;
  showEmpty();
}

async function destroy() {
  if (!doomed) return;
  const { id, timer } = doomed;
  clearTimeout(timer);
  doomed = null;
  try {
    // `keepalive`: it is carried out even while the page is being left.
    await api.remove(`images/${id}`, { keepalive: true });
    find(`#image-${CSS.escape(id)}`)?.remove();
  } catch (error) {
    toast(errorText(error));
    const item = find(`#image-${CSS.escape(id)}`);
    if (item) item.hidden = false;
  }
  showEmpty();
}

const waiting = sessionStorage.getItem(DOOMED);
if (waiting) doom(waiting);
addEventListener("pagehide", destroy);
find("#wall-error button").addEventListener("click", load);
// Told of the end's coming and of its going: only the coming asks for more.
const look = ([end]) => end.isIntersecting && load();
new IntersectionObserver(look, { rootMargin: "800px" }).observe(find("#sentinel"));
