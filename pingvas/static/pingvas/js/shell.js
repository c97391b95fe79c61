// Loaded on every page: the switch between the light and the dark theme.

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
