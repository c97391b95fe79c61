// The Create page: the form on one side, the jobs on the other.

import { api, newKey } from "../pingvas/js/api.js";
import { find, setText, toast } from "../pingvas/js/dom.js";
import { duration, errorText, say } from "../pingvas/js/words.js";
import { Feed } from "./feed.js";
import { takePictures } from "./picture_drop.js";
import { Price } from "./price.js";
import { clearRefusal, showRefusal } from "./refusal.js";
import { SettingsForm } from "./settings_form.js";
import { takenWords } from "./taken_words.js";

const form = find("#settings");
const settings = new SettingsForm(form);
const price = new Price(settings);
const feed = new Feed({
  onReuse: takeOver,
  onCredits: (available) => (price.available = available),
  onMoneyMoved: () => price.renew(),
});

let pending = null;

async function submit(event) {
  event.preventDefault();
  const body = settings.spec;
  const { problems } = settings;
  if (!body.prompt.trim()) problems.prompt = [say("prompt_needed")];
  if (Object.keys(problems).length) {
    settings.showErrors(problems);
    settings.focusFirstError();
    return;
  }
  // The same wish keeps its key until it was answered: a lost answer is no second job.
  const text = JSON.stringify(body);
  if (pending?.text !== text) pending = { text, key: newKey() };
  setSending(true);
  try {
    const submission = await api.post("jobs", body, { key: pending.key });
    pending = null;
    clearRefusal();
    settings.showErrors({});
    feed.add(submission.jobs);
    showFeed();
    price.readBalance();
  } catch (error) {
    if (!error.isUnreachable) pending = null;
    refuse(error);
  } finally {
    setSending(false);
  }
}

// Where the form stands above the jobs, the new one would be out of sight.
function showFeed() {
  const title = find("#feed-title");
  if (title.getBoundingClientRect().top > innerHeight / 2) title.scrollIntoView();
}

function setSending(isSending) {
  const button = find("#generate");
  button.setAttribute("aria-disabled", String(isSending));
  setText(find("span", button), say(isSending ? "sending" : "generate"));
}

function refuse(error) {
  showReason(error);
  find("#refusal").scrollIntoView({ block: "nearest" });
}

function showReason(error) {
  if (error.code === "insufficient_credits") {
    price.available = error.data.available;
    // The settings may be others by now: the price is asked for anew.
    price.ask();
    return;
  }
  const words = {
    queue_full: () => say("queue_full", error.data),
    generation_limit_reached: () => say("too_fast", { time: duration(error.data.retry_after) }),
    too_many_requests: () => say("too_fast", { time: duration(error.data.retry_after) }),
  };
  showRefusal(error.code, words[error.code]?.() ?? errorText(error));
  if (error.fields && Object.keys(error.fields).length) {
    settings.showErrors(error.fields);
    settings.focusFirstError();
  }
}

function takeOver(values, found) {
  settings.fill({ advanced_params: null, ...values });
  const { text, seconds } = takenWords(settings, values, found);
  toast(text, { seconds });
  find("#prompt").focus();
  find("#prompt").scrollIntoView({ block: "center" });
}

// What a file does not tell stays, but for words to leave out, and the seed's lock.
function takeFromFile({ settings: { seeds, ...said }, ...found }) {
  const told = seeds ? { ...said, seed: seeds[0] } : said;
  const values = { negative_prompt: "", ...told, count: 1, locked: Boolean(seeds) };
  takeOver(values, { ...found, told: Object.keys(told) });
}

async function takeFromGallery(id, isLocked = true) {
  try {
    const { metadata } = await api.get(`images/${encodeURIComponent(id)}`);
    takeOver({ ...metadata, seed: isLocked ? metadata.seed : null, locked: isLocked, count: 1 });
  } catch (error) {
    toast(errorText(error));
  }
}

// `?image=<id>`: the settings of a picture from the gallery; `?prompt=`: words to try.
function takeFromAddress() {
  const asked = new URLSearchParams(location.search);
  const [image, prompt] = [asked.get("image"), asked.get("prompt")];
  if (image || prompt) history.replaceState(null, "", location.pathname);
  if (image) takeFromGallery(image, !asked.has("vary"));
  else if (prompt) settings.fill({ prompt: prompt.slice(0, find("#prompt").maxLength) });
}

form.addEventListener("submit", (event) => {
  if (find("#generate").getAttribute("aria-disabled") === "true") event.preventDefault();
  else submit(event);
});
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
find("#example").addEventListener("click", () => {
  settings.fill({ prompt: form.dataset.example });
  find("#prompt").focus();
});

feed.start();
price.readBalance();
price.ask();
takeFromAddress();
takePictures({ onFile: takeFromFile, onOwn: takeFromGallery });
