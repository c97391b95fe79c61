// Loaded on every page: the switch between the light and the dark theme, and the end of
// pages whose reader signed out.

const YEAR_SECONDS = 365 * 24 * 3600;

function systemTheme() {
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

function remember(theme) {
  const age = theme ? YEAR_SECONDS : 0;
  document.cookie = `theme=${theme}; path=/; max-age=${age}; samesite=lax`;
}

function switchTheme() {
  const root = document.documentElement;
  const shown = root.dataset.theme || systemTheme();
  const next = shown === "dark" ? "light" : "dark";
  // Back at the system's own theme, the page follows the system again.
  const chosen = next === systemTheme() ? "" : next;
  root.dataset.theme = chosen;
  remember(chosen);
}

document.querySelector("[data-switch-theme]")?.addEventListener("click", switchTheme);

const SIGNED_OUT = "pingvas.signed-out";
const isPrivate = "user" in document.body.dataset;
const shownAt = Date.now();

// A browser without storage learns it from the next answer of the server.
function store(kind, value) {
  try {
    const storage = globalThis[kind];
    if (value !== undefined) storage.setItem(SIGNED_OUT, String(value));
    return Number(storage.getItem(SIGNED_OUT));
  } catch {
    return 0;
  }
}

function leave() {
  document.documentElement.hidden = true;
  location.reload();
}

if (isPrivate) {
  const form = document.querySelector('form[action$="/sign-out"]');
  form?.addEventListener("submit", () => store("sessionStorage", Date.now()));
  // One step back, the browser shows the page as it was. The page between may have had
  // no time to tell the other tabs.
  addEventListener("pageshow", (event) => {
    const signedOutAt = Math.max(store("localStorage"), store("sessionStorage"));
    if (event.persisted && signedOutAt > shownAt) leave();
  });
  addEventListener("storage", (event) => {
    if (event.key === SIGNED_OUT) leave();
  });
} else if (store("sessionStorage") > store("localStorage")) {
  // Told by the first page after it: before, the session would still let others in.
  store("localStorage", Date.now());
}
