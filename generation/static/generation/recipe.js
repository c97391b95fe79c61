// The table of a picture's settings, as `pingvas/recipe/` has it.

import { find } from "../pingvas/js/dom.js";

export const { settings, samplers, usual_side: USUAL_SIDE } = JSON.parse(find("#recipe").textContent);
export const NAMES = Object.keys(settings);
export const NUMBERS = NAMES.filter((name) => settings[name].kind !== "string");
export const SAMPLER_LABELS = new Map(Object.values(samplers).flat());

// A value from a row, a file or the API as the form has it.
export function readable(name, value) {
  if (settings[name].kind === "string") return value ?? "";
  return value === null || value === undefined ? null : Number(value);
}
