// What can be said of one job without the page around it.

import { NAMES, readable } from "./recipe.js";

const ENDED = new Set(["completed", "failed", "cancelled"]);
const WAITING = new Set(["pending", "queued"]);

export const isLive = (job) => !ENDED.has(job.status);
export const isWaiting = (job) => WAITING.has(job.status);

// Lays news over what is known. An ended job stays ended, and steps do not go back
// within one attempt.
export function apply(known, news) {
  if (!known) return { toldAt: 0, ...news };
  if (!isLive(known) && isLive({ ...known, ...news })) return known;
  const next = { ...known, ...definite(news) };
  const again = isWaiting(next) && !isWaiting(known);
  if (again) next.progress = null;
  else if ((known.progress?.step ?? 0) > (news.progress?.step ?? 0)) next.progress = known.progress;
  else if (news.progress && !news.progress.preview_url && known.progress?.preview_url) {
    next.progress = { ...news.progress, preview_url: known.progress.preview_url };
  }
  return next;
}

function definite(news) {
  return Object.fromEntries(Object.entries(news).filter(([, value]) => value !== undefined));
}

export function settingsOf(job) {
  const plain = Object.fromEntries(NAMES.map((name) => [name, readable(name, job[name])]));
  const { resolved_seed: seed, advanced_params } = job;
  return { ...plain, advanced_params, seed, locked: true, count: 1 };
}

// The same wish with other seeds.
export function variationOf(job) {
  return { ...settingsOf(job), seed: null, locked: false };
}

// The part that is done, from 0 to 1.
export function portion(job) {
  if (!isLive(job)) return 1;
  const { step = 0, total_steps: total = 0 } = job.progress ?? {};
  return total ? step / total : 0;
}

export function secondsRunning(job) {
  const began = Date.parse(job.started_at) || job.heard_at;
  return began ? Math.max(0, (Date.now() - began) / 1000) : 0;
}
