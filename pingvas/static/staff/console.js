// What the console's package leaves to the mouse and to the eye, given to everybody:
// its menus and icons become buttons with names, its overlays become dialogs.

import { makeOperable } from "./controls.js";
import { watchDialogs } from "./dialogs.js";
import { nameRegions } from "./regions.js";

function mend(root) {
  nameRegions(root);
  makeOperable(root);
}

mend(document.documentElement);
new MutationObserver((changes) => {
  for (const change of changes) {
    for (const node of change.addedNodes) if (node instanceof Element) mend(node);
  }
}).observe(document.documentElement, { childList: true, subtree: true });
watchDialogs();
