// The console's overlays as dialogs: the keyboard goes in, stays in, comes back.

import { OPEN_MENU } from "./controls.js";
import { isShown, word } from "./tree.js";

const FOCUSABLE =
  "a[href], button:enabled, input:enabled:not([type=hidden]), select:enabled," +
  " textarea:enabled, [tabindex]:not([tabindex='-1'])";
const COMMAND = "#search-input-command";
// `overlay` is what is shown and hidden, `panel` the dialog in it.
const KINDS = [
  { overlay: "div:has(> #modal-content)", panel: "#modal-content" },
  { overlay: `div:has(> div > div > ${COMMAND})`, panel: ":scope > div", name: "search", leave: leaveCommand },
  { overlay: "#changelist-filter", panel: ":scope > div:last-child", name: "filters" },
  { overlay: "div:has(> div > #nav-sidebar)", panel: "#nav-sidebar", name: "menu", leave: leaveMenu },
];
const open = [];
// Where the keyboard was last, outside of every dialog.
let lastPlace = null;

export function watchDialogs() {
  const known = KINDS.flatMap((kind) => {
    const overlay = document.querySelector(kind.overlay);
    return overlay ? [{ ...kind, overlay, panel: overlay.querySelector(kind.panel) }] : [];
  });
  const look = () => known.forEach(compare);
  const changes = new MutationObserver(look);
  for (const { overlay } of known) {
    changes.observe(overlay, { attributes: true, attributeFilter: ["style", "class"] });
  }
  addEventListener("resize", look);
  document.addEventListener("focusin", holdFocus);
  document.addEventListener("keydown", answerKey, true);
  document.addEventListener("htmx:afterSettle", focusRefusal);
  look();
}

function compare(dialog) {
  // On a wide screen the menu and the filters stand in the page.
  const isOpen = isShown(dialog.overlay) && getComputedStyle(dialog.overlay).position === "fixed";
  const at = open.indexOf(dialog);
  if (isOpen && at < 0) enter(dialog);
  if (!isOpen && at >= 0) leave(dialog, at);
}

function enter(dialog) {
  const { panel } = dialog;
  dialog.opener = lastPlace;
  open.push(dialog);
  panel.setAttribute("role", "dialog");
  panel.setAttribute("aria-modal", "true");
  panel.tabIndex = -1;
  nameDialog(dialog);
  firstField(panel).focus();
}

function nameDialog({ panel, name }) {
  const [title, text] = name ? [] : [panel.querySelector("h1, h2"), panel.querySelector("p")];
  if (!title) panel.setAttribute("aria-label", word(name ?? "dialog"));
  refer(panel, "aria-labelledby", title);
  refer(panel, "aria-describedby", text);
}

function refer(panel, attribute, node) {
  panel.removeAttribute(attribute);
  if (!node) return;
  node.id ||= `staff-${attribute}`;
  panel.setAttribute(attribute, node.id);
}

function leave(dialog, at) {
  open.splice(at, 1);
  for (const name of ["role", "aria-modal", "aria-label", "tabindex"]) {
    dialog.panel.removeAttribute(name);
  }
  if (dialog.opener?.isConnected && isShown(dialog.opener)) dialog.opener.focus();
}

const stops = (panel) => [...panel.querySelectorAll(FOCUSABLE)].filter(isShown);

function firstField(panel) {
  const found = stops(panel);
  return found.find((node) => node.matches("input, select, textarea")) ?? found[0] ?? panel;
}

function holdFocus(event) {
  const panel = open.at(-1)?.panel;
  if (!panel) lastPlace = event.target;
  else if (!panel.contains(event.target)) firstField(panel).focus();
}

function answerKey(event) {
  const dialog = open.at(-1);
  if (!dialog) return;
  if (event.key === "Escape") dialog.leave?.(event);
  if (event.key === "Tab") turnAround(event, dialog.panel);
}

function turnAround(event, panel) {
  const found = stops(panel);
  const end = event.shiftKey ? found[0] : found.at(-1);
  const isOutside = !panel.contains(document.activeElement);
  if (found.length > 0 && document.activeElement !== end && !isOutside) {
    // From the panel itself there is no way back but to its end.
    if (!event.shiftKey || document.activeElement !== panel) return;
  }
  event.preventDefault();
  (event.shiftKey ? found.at(-1) : found[0])?.focus();
}

// Its own Escape only empties the field first, and is heard in the field alone.
function leaveCommand(event) {
  const field = document.querySelector(COMMAND);
  field.value = "";
  if (event.target === field) return;
  field.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", cancelable: true }));
}

function leaveMenu(event) {
  // An open list inside of it is closed first.
  if (event.target.closest("[role=dialog]")?.querySelector(OPEN_MENU)) return;
  document.querySelector("#nav-sidebar [x-on\\:click^=sidebarMobileOpen]").click();
}

// A refused form is put in the old one's place, and the keyboard's with it.
function focusRefusal() {
  const panel = open.at(-1)?.panel;
  if (!panel || panel.contains(document.activeElement)) return;
  (panel.querySelector("[aria-invalid=true]") ?? firstField(panel)).focus();
}
