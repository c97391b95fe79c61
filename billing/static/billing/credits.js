// The Credits page: times where the reader is, and figures that follow running jobs.

import { api } from "../pingvas/js/api.js";
import { find, findAll, later, setText } from "../pingvas/js/dom.js";
import { EventStream } from "../pingvas/js/events.js";
import { showLocalTimes } from "../pingvas/js/times.js";
import { number } from "../pingvas/js/words.js";

const FIGURES = ["available", "balance", "held", "granted_this_month", "used_this_month"];
// The jobs of one submission end one shortly after the other.
const CALM = 400;

let balance = null;

function show(credits) {
  for (const name of FIGURES) {
    if (name in credits) setText(find(`[data-figure="${name}"]`), number(credits[name]));
  }
  // Something was booked.
  if (balance !== null && balance !== credits.balance) bringHistory();
  balance = credits.balance;
}

async function read() {
  try {
    show(await api.get("credits"));
  } catch {
    // The next event, or the connection's return, asks again.
  }
}

// What was booked since is put on top; what is there stays where it is.
async function addNewest() {
  if (new URLSearchParams(location.search).has("before")) return;
  const answer = await fetch(location.pathname).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const rows = find("#history-rows");
  if (!rows) {
    find("#history-list").replaceWith(find("#history-list", page));
  } else {
    const added = findAll("#history-rows tr", page).filter((row) => !find(`#${row.id}`));
    rows.prepend(...added);
  }
  showLocalTimes(find("#history-list"));
}

const bringHistory = later(() => {
  addNewest();
  read();
}, CALM);

showLocalTimes();
// Older rows, which htmx brought.
document.addEventListener("htmx:load", ({ detail }) => showLocalTimes(detail.elt));
const stream = new EventStream();
stream.addEventListener("event", ({ detail }) => {
  if (detail.type === "credits.changed") show(detail.data);
});
stream.addEventListener("resync", read);
stream.addEventListener("state", ({ detail: isOpen }) => isOpen && read());
addEventListener("online", () => stream.hurry());
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  stream.hurry();
  read();
});
stream.open();
