// Settings from a picture: dropped anywhere on the page, or chosen by a button.

import { api, ApiError } from "../pingvas/js/api.js";
import { find } from "../pingvas/js/dom.js";
import { errorText, say } from "../pingvas/js/words.js";
import { clearRefusal, showRefusal } from "./refusal.js";

const OWN_PICTURE = /^\/gallery\/([0-9a-f-]{36})$/;
const LINK = "text/uri-list";

// `onFile` takes what the server reads in a file, `onOwn` the id of a picture of the gallery.
export function takePictures({ onFile, onOwn }) {
  const veil = find("#drop");
  const chooser = find("#picture-file");
  const isOffer = ({ dataTransfer }) =>
    dataTransfer.types.includes("Files") || dataTransfer.types.includes(LINK);

  addEventListener("dragover", (event) => {
    if (!isOffer(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    veil.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    // Left for outside the window, not for another element.
    if (!event.relatedTarget) veil.hidden = true;
  });
  addEventListener("dragend", () => (veil.hidden = true));
  addEventListener("drop", (event) => {
    veil.hidden = true;
    if (!isOffer(event)) return;
    event.preventDefault();
    const own = ownPicture(event.dataTransfer.getData(LINK));
    if (own) onOwn(own);
    else take(event.dataTransfer.files[0], onFile);
  });
  find("#from-picture").addEventListener("click", () => chooser.click());
  chooser.addEventListener("change", () => {
    take(chooser.files[0], onFile);
    // The same file may be chosen again.
    chooser.value = "";
  });
}

// A tile that is dragged over from the page's own pictures.
function ownPicture(address) {
  if (!URL.canParse(address)) return null;
  const { origin, pathname } = new URL(address);
  return origin === location.origin ? (OWN_PICTURE.exec(pathname)?.[1] ?? null) : null;
}

// What was asked last counts, whichever answer comes last.
let turns = 0;

async function take(file, onFile) {
  if (!file) return;
  turns += 1;
  const turn = turns;
  try {
    const found = await read(file);
    if (turn !== turns) return;
    clearRefusal("picture");
    onFile(found);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (turn === turns) refuse(file, error);
  }
}

async function read(file) {
  if (file.size > Number(find("#picture-file").dataset.largest)) {
    throw new ApiError(0, { code: "picture_too_large", message: say("picture_too_large") });
  }
  // What cannot be read, as a folder, is no picture.
  const content = await file.arrayBuffer().catch(() => new ArrayBuffer(0));
  const form = new FormData();
  form.append("file", new Blob([content]), file.name);
  return api.post("images/settings", form);
}

function refuse(file, error) {
  showRefusal("picture", `${file.name}: ${errorText(error)}`);
  find("#refusal").scrollIntoView({ block: "nearest" });
}
