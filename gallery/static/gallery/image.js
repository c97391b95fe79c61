// One picture's page: its receipt, and deleting it.

import { api } from "../pingvas/js/api.js";
import { element, find, setText } from "../pingvas/js/dom.js";
import { errorText, say } from "../pingvas/js/words.js";

const { image, job } = find(".detail").dataset;

function line(name, text) {
  return [element("dt", {}, name), element("dd", {}, text)];
}

function phaseText(milliseconds, isBilled) {
  const seconds = say("milliseconds", { count: Math.round(milliseconds / 100) / 10 });
  return isBilled ? seconds : `${seconds} (${say("free")})`;
}

async function showReceipt() {
  try {
    const receipt = await api.get(`jobs/${job}/receipt`);
    const phases = Object.entries(receipt.milliseconds ?? {}).flatMap(([phase, taken]) =>
      line(say(phase), phaseText(taken, receipt.billed_phases.includes(phase))),
    );
    const money = ["held", "charged", "released"].flatMap((name) =>
      line(say(name), say("credits", { count: receipt[name] })),
    );
    find("#receipt").replaceChildren(...phases, ...money);
  } catch (error) {
    setText(find("#receipt-error"), errorText(error));
    find("#receipt-error").hidden = false;
  }
}

// The gallery takes it out, and can still be told to leave it.
find("#delete").addEventListener("click", () => {
  sessionStorage.setItem("pingvas.doomed", image);
  location.assign(find('.tabs a[href*="gallery"]').href);
});

if (job) showReceipt();
