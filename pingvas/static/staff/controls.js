// Boxes, spans and links without an address that do something when clicked.

import { each, give, word } from "./tree.js";

const CLICKABLE = "[x-on\\:click]";
const NATIVE = "button, input, select, textarea, label, summary";
// Closes what lies before it, as Escape does; no stop for the keyboard.
const BACKDROP = "#changelist-filter-close";
// What it is called when it shows a picture only, by what a click changes.
const NAMES = {
  sidebar: "toggle",
  openModal: "close",
  openTheme: "theme",
  openRelated: "more",
  showActions: "more",
};
const THEME = /(?:switchTheme\('|adminTheme = ')(\w+)'/;
const TAB = /activeFieldsetTab = ('.*')/;
const TOGGLE = /^(\w+) = !\1\b/;
export const OPEN_MENU = "[data-staff-menu][aria-expanded=true]";
const MENU = /^(open|show)[A-Z]/;

export function makeOperable(root) {
  each(root, CLICKABLE, makeButton);
  each(root, "nav:has(> [x-on\\:click^=activeFieldsetTab])", makeTabs);
  each(root, "[hx-target='#modal-content']", (opener) => give(opener, { "aria-haspopup": "dialog" }));
}

function makeButton(node) {
  if (node.matches(BACKDROP)) return;
  const act = node.getAttribute("x-on:click");
  // A search's result goes somewhere, and is a link.
  const goes = node.hasAttribute("href") && node.getAttribute("href") !== "#";
  if (!goes && !node.matches(NATIVE)) {
    give(node, { role: "button", tabindex: "0" });
    node.removeAttribute("aria-hidden");
    node.addEventListener("keydown", pressByKey);
  }
  const name = node.getAttribute("title") || (hasWords(node) ? "" : nameOf(act));
  if (name) give(node, { "aria-label": name });
  tellState(node, act);
}

function pressByKey(event) {
  if (event.target !== event.currentTarget || event.repeat) return;
  const isLink = event.currentTarget.hasAttribute("href");
  if (event.key !== " " && (event.key !== "Enter" || isLink)) return;
  event.preventDefault();
  event.currentTarget.click();
}

function hasWords(node) {
  const words = node.cloneNode(true);
  words.querySelectorAll(".material-symbols-outlined").forEach((icon) => icon.remove());
  return !node.matches(".material-symbols-outlined") && words.textContent.trim() !== "";
}

function nameOf(act) {
  const known = Object.keys(NAMES).find((start) => act.startsWith(start));
  return known ? word(NAMES[known]) : "";
}

// Alpine keeps these attributes true to its own variables.
function tellState(node, act) {
  const theme = THEME.exec(act);
  if (theme) give(node, { "x-bind:aria-pressed": `adminTheme == '${theme[1]}'` });
  const toggle = TOGGLE.exec(act);
  if (toggle) give(node, { "x-bind:aria-expanded": toggle[1] });
  if (toggle && MENU.test(act)) node.dataset.staffMenu = "";
  if (/^filterOpen = true/.test(act) || act.includes("opencommand")) {
    give(node, { "aria-haspopup": "dialog" });
  }
}

function makeTabs(list) {
  give(list, { role: "tablist" });
  for (const tab of list.children) {
    const name = TAB.exec(tab.getAttribute("x-on:click"))[1];
    tab.setAttribute("role", "tab");
    give(tab, { "x-bind:aria-selected": `activeFieldsetTab == ${name}` });
    // One stop for the keyboard; the arrows go from tab to tab.
    tab.removeAttribute("tabindex");
    give(tab, { "x-bind:tabindex": `activeFieldsetTab == ${name} ? 0 : -1` });
  }
  list.addEventListener("keydown", (event) => stepTabs(event, [...list.children]));
}

function stepTabs(event, tabs) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const at = tabs.indexOf(document.activeElement);
  const next = tabs[(at + step + tabs.length) % tabs.length];
  next.click();
  next.focus();
}

// Escape closes a menu, and the keyboard is where it opened it.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const opener of document.querySelectorAll(OPEN_MENU)) {
    opener.click();
    opener.focus();
  }
});
