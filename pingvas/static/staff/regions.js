// Landmarks and their names, and what a screen reader should not read aloud.

import { each, give, word } from "./tree.js";

const ICON = ".material-symbols-outlined";

export function nameRegions(root) {
  each(root, "#main, body.login #page", (main) => give(main, { role: "main" }));
  each(root, "#nav-sidebar-inner", (menu) => give(menu, { "aria-label": word("menu") }));
  each(root, "#nav-sidebar-inner nav", (menu) => give(menu, { "aria-label": word("account") }));
  each(root, "#nav-sidebar-apps a.active", (link) => give(link, { "aria-current": "page" }));
  // An icon is a word in a font of pictures: "arrow_back" is not to be read.
  each(root, ICON, (icon) => give(icon, { "aria-hidden": "true" }));
  each(root, `[title]:has(> ${ICON})`, nameByTitle);
  each(root, "#searchbar, #searchbar-submit, #command-submit, #search-input-command", (part) =>
    give(part, { "aria-label": word("search") }),
  );
  each(root, ".simplebar-content-wrapper", calmScroller);
  // Below the page's own heading comes a second one, not a third.
  each(root, "#changelist-filter h3", (title) => give(title, { "aria-level": "2" }));
  each(root, "[aria-describedby]", describe);
}

// A green tick and a red cross differ by more than their colour.
function nameByTitle(node) {
  const name = node.getAttribute("title").trim();
  if (node.matches("a, button, [role=button]")) give(node, { "aria-label": name });
  else if (!node.textContent.includes(name)) give(node, { role: "img", "aria-label": name });
}

// The package calls each of them a region of the page, by one and the same English name.
function calmScroller(box) {
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", word("scrolls"));
}

// Its templates write a field's help without the id that the field names.
function describe(field) {
  const id = field.getAttribute("aria-describedby");
  if (document.getElementById(id)) return;
  const help = field.closest(".group, .field-line")?.querySelector(".leading-relaxed.text-xs");
  if (help) help.id = id;
  else field.removeAttribute("aria-describedby");
}
