// Sizes that suit a model: by shape and longest side, around the side it was trained on.

import { settings } from "./recipe.js";

const { grid: GRID, low: SMALLEST, high: LARGEST } = settings.width;
const SHARES = [0.5, 0.75, 1, 1.25, 1.5, 2];

const rounded = (pixels) => Math.round(pixels / GRID) * GRID;
const parts = (ratio) => ratio.split(":").map(Number);

export const onGrid = (pixels) => Math.max(SMALLEST, rounded(pixels));

export function sidesAround(native) {
  const sides = SHARES.map((share) => rounded(native * share));
  return sides.filter((side) => side >= SMALLEST && side <= LARGEST);
}

export function sizeOf(ratio, longest) {
  const [across, down] = parts(ratio);
  const scale = longest / Math.max(across, down);
  return { width: onGrid(across * scale), height: onGrid(down * scale) };
}

export function hasShape(ratio, { width, height }) {
  const [across, down] = parts(ratio);
  const scale = Math.max(width, height) / Math.max(across, down);
  return rounded(across * scale) === width && rounded(down * scale) === height;
}

// Where a model still knows what it was taught.
export function isNear(longest, native) {
  return longest >= native * 0.75 && longest <= native * 1.5;
}
