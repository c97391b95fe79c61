// Moments in the reader's own time zone and language. The server does not know the zone:
// it writes UTC, and says so.

import { findAll, setText } from "./dom.js";
import { moment, momentInFull } from "./words.js";

export function showLocalTimes(root = document) {
  for (const place of findAll("time[datetime]", root)) {
    setText(place, moment(place.dateTime));
    place.title = momentInFull(place.dateTime);
  }
  for (const note of findAll("[data-utc]", root)) note.hidden = true;
}
