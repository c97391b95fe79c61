// One picture's page: its long words, its receipt, and deleting it.

import { api } from "../pingvas/js/api.js";
import { element, find, findAll, setText } from "../pingvas/js/dom.js";
import { showLocalTimes } from "../pingvas/js/times.js";
import { errorText, say } from "../pingvas/js/words.js";

const { image, job } = find(".detail").dataset;

function line(name, text, kind) {
  return [element("dt", { class: kind }, name), element("dd", { class: kind }, text)];
}

// Tenths of a second; hundredths of what is shorter.
function phaseText(milliseconds, isBilled) {
  const parts = milliseconds < 100 ? 100 : 10;
  const count = Math.max(0.01, Math.round((milliseconds * parts) / 1000) / parts);
  const seconds = say("milliseconds", { count });
  return isBilled ? seconds : `${seconds} (${say("free")})`;
}

async function showReceipt() {
  try {
    const receipt = await api.get(`jobs/${job}/receipt`);
    const phases = Object.entries(receipt.milliseconds ?? {}).flatMap(([phase, taken]) =>
      line(say(phase), phaseText(taken, receipt.billed_phases.includes(phase))),
    );
    const money = ["held", "charged", "released"].flatMap((name) =>
      line(say(name), say("credits", { count: receipt[name] }), name),
    );
    find("#receipt").replaceChildren(...phases, ...money);
  } catch (error) {
    setText(find("#receipt-error"), errorText(error));
    find("#receipt-error").hidden = false;
  }
}

// A prompt may be longer than the screen: what can be done with the picture comes first.
function foldWords() {
  const wish = find("#wish");
  const isLong = findAll("h1, p", wish).some((words) => words.scrollHeight > words.clientHeight + 1);
  find("#unfold").hidden = !isLong;
}

find("#unfold").addEventListener("click", () => {
  find("#wish").removeAttribute("data-folded");
  find("#unfold").hidden = true;
});

// The gallery takes it out, and can still be told to leave it.
find("#delete").addEventListener("click", () => {
  sessionStorage.setItem("pingvas.doomed", image);
  location.assign(find('.tabs a[href*="gallery"]').href);
});

foldWords();
showLocalTimes();
if (job) showReceipt();
