// Small helpers around the document.

const words = document.querySelector("#staff-console").dataset;

// The reader's words are attributes of our script's element.
export const word = (name) => words[name] ?? "";

export const isShown = (node) => node.checkVisibility({ visibilityProperty: true });

// `root` itself counts too: what htmx brings may be the very thing.
export function each(root, selector, work) {
  if (root.matches(selector)) work(root);
  root.querySelectorAll(selector).forEach(work);
}

export function give(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (!node.hasAttribute(name)) node.setAttribute(name, value);
  }
}
