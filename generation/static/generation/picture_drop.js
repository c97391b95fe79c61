// Settings from a picture: dropped anywhere on the page, or chosen by a button.

import { find } from "../pingvas/js/dom.js";
import { say } from "../pingvas/js/words.js";
import { PictureError, readSettings } from "./png_settings.js";
import { clearRefusal, showRefusal } from "./refusal.js";

const OWN_PICTURE = /^\/gallery\/([0-9a-f-]{36})$/;
const LINK = "text/uri-list";

// `onFile` takes the settings of a file, `onOwn` the id of a picture of the gallery.
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

async function take(file, onFile) {
  if (!file) return;
  try {
    const settings = await readSettings(file);
    clearRefusal("picture");
    onFile(settings);
  } catch (error) {
    if (!(error instanceof PictureError)) throw error;
    showRefusal("picture", say(error.code, { name: file.name }));
    find("#refusal").scrollIntoView({ block: "nearest" });
  }
}
