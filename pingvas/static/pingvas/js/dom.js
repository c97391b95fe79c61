// Small helpers around the document.

export const find = (selector, root = document) => root.querySelector(selector);
export const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("class", "icon");
  drawing.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${document.body.dataset.icons}#${name}`);
  drawing.append(use);
  return drawing;
}

// Writes only what differs: a screen reader and the layout are left in peace.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function toast(text, { seconds = 6, action } = {}) {
  const line = element("div", { class: "toast", role: "status" }, element("span", {}, text));
  const timer = setTimeout(() => line.remove(), seconds * 1000);
  if (action) {
    const act = () => {
      clearTimeout(timer);
      line.remove();
      action.run();
    };
    line.append(element("button", { class: "button", type: "button", onclick: act }, action.name));
  }
  find("#toasts").append(line);
}

export function later(run, milliseconds) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...values), milliseconds);
  };
}
