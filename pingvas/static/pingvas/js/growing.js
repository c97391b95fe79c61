// Lists that htmx makes longer: says so when more cannot be had. Its button, or the
// connection's return, asks again.

import { find, setText } from "./dom.js";
import { say } from "./words.js";

const notice = find("#no-more");

function complain(words) {
  setText(find("span", notice), say(words));
  notice.hidden = false;
}

document.addEventListener("htmx:beforeRequest", () => (notice.hidden = true));
document.addEventListener("htmx:sendError", () => complain("unreachable"));
document.addEventListener("htmx:timeout", () => complain("unreachable"));
document.addEventListener("htmx:responseError", () => complain("unknown_error"));
addEventListener("online", () => notice.hidden || find("#try-again").click());
