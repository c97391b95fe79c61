// What was taken over into the form, and what was not, in a sentence or two.

import { find } from "../pingvas/js/dom.js";
import { say } from "../pingvas/js/words.js";

const MOST_NAMES = 8;
// Names take longer to read than one sentence.
const [SHORT, LONG] = [4, 10];

const OWN = { dialect: "pingvas", told: [], left_out: [] };

// `found`: for a file, whose record was read, what it told, and what not of it is taken.
export function takenWords(form, values, found = OWN) {
  const isThere = !values.model || form.values.model === values.model;
  const isKnown = !values.sampler || form.values.sampler === values.sampler;
  const missed = [...found.left_out, ...(isKnown || found === OWN ? [] : ["sampler"])];
  // What has no field of its own is shown by the form itself.
  const taken = found.told.filter((name) => form.field(name) && !missed.includes(name));
  const isListed = found.dialect !== OWN.dialect || missed.length > 0;
  const sentences = [say("settings_loaded")];
  if (isListed) sentences[0] = say("settings_taken", { names: names(form, taken) });
  if (!isThere) sentences[0] = say("settings_other_model", values);
  if (missed.length) sentences.push(say("settings_left_out", { names: names(form, missed) }));
  return { text: sentences.join(" "), seconds: isListed ? LONG : SHORT };
}

function names(form, all) {
  const shown = all.slice(0, MOST_NAMES).map((name) => label(form, name));
  const more = all.length - shown.length;
  return shown.join(" · ") + (more > 0 ? ` · ${say("and_more", { count: more })}` : "");
}

// As the form calls it; what it does not have, as the file does.
function label(form, name) {
  const field = form.field(name === "seeds" ? "seed" : name);
  const words = field?.id && find(`label[for="${field.id}"]`, form.form)?.textContent;
  return words || field?.getAttribute?.("aria-label") || name;
}
