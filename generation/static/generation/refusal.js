// The one place above the button where the page says why something cannot be had.

import { find, setText } from "../pingvas/js/dom.js";

export function showRefusal(code, text) {
  const place = find("#refusal");
  place.dataset.code = code;
  setText(find("p", place), text);
  find(".row", place).replaceChildren();
  place.hidden = false;
}

export function clearRefusal(code) {
  const place = find("#refusal");
  if (!code || place.dataset.code === code) place.hidden = true;
}
