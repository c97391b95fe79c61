// The wall of pictures: a deleted one can be had back for a moment.

import { api } from "../pingvas/js/api.js";
import { find, toast } from "../pingvas/js/dom.js";
import { errorText, say } from "../pingvas/js/words.js";

const UNDO_SECONDS = 6;
// Left by a picture's own page when its delete button was pressed.
const DOOMED = "pingvas.doomed";

const wall = find("#wall");
let doomed = null;

const tileOf = (id) => find(`#image-${CSS.escape(id)}`);

function show(id, isShown) {
  const tile = tileOf(id);
  if (tile) tile.hidden = !isShown;
  showEmpty();
}

function showEmpty() {
  find("#no-images").hidden = find("li:not([hidden])", wall) !== null;
}

function doom(id) {
  sessionStorage.removeItem(DOOMED);
  doomed = { id, timer: setTimeout(destroy, UNDO_SECONDS * 1000) };
  show(id, false);
  toast(say("deleted"), { seconds: UNDO_SECONDS, action: { name: say("undo"), run: spare } });
}

function spare() {
  clearTimeout(doomed.timer);
  show(doomed.id, true);
  doomed = null;
}

async function destroy() {
  if (!doomed) return;
  const { id, timer } = doomed;
  clearTimeout(timer);
  doomed = null;
  try {
    // `keepalive`: it is carried out even while the page is being left.
    await api.remove(`images/${id}`, { keepalive: true });
    tileOf(id)?.remove();
  } catch (error) {
    toast(errorText(error));
    show(id, true);
  }
}

// The doomed one may be among those that just came.
wall.addEventListener("htmx:afterSwap", () => (doomed ? show(doomed.id, false) : showEmpty()));
addEventListener("pagehide", destroy);

const waiting = sessionStorage.getItem(DOOMED);
if (waiting) doom(waiting);
