// What the page says, in the page's language. The words come with the page.

const language = document.documentElement.lang;
const words = JSON.parse(document.getElementById("words")?.textContent ?? "{}");
const numbers = new Intl.NumberFormat(language);

// `{name}` in a sentence is replaced by the value of that name. Where there are words
// for `name.one`, they are said when the first value in the sentence is one.
export function say(name, values = {}) {
  const sentence = (isOne(name, values) && words[`${name}.one`]) || (words[name] ?? name);
  return sentence.replace(/\{(\w+)\}/g, (_, key) => {
    const value = values[key];
    return typeof value === "number" ? numbers.format(value) : (value ?? "");
  });
}

function isOne(name, values) {
  const first = words[name]?.match(/\{(\w+)\}/)?.[1];
  return first !== undefined && values[first] === 1;
}

export function errorText(error) {
  if (error.isUnreachable) return say("unreachable");
  return error.message || say("unknown_error");
}

export function duration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  const text =
    whole < 60
      ? say("seconds", { count: whole })
      : say("minutes", { count: Math.round(whole / 60) });
  // A number and its unit stay on one line.
  return text.replace(" ", "\u00a0");
}

export const number = (value) => numbers.format(value);

const written = (iso, style) => new Date(iso).toLocaleString(language, style);

export function moment(iso) {
  return written(iso, { dateStyle: "medium", timeStyle: "short" });
}

// With the day of the week, the seconds and the time zone.
export function momentInFull(iso) {
  return written(iso, { dateStyle: "full", timeStyle: "long" });
}
