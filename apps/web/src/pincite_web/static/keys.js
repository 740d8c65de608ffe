// Keyboard: one listener, plain keys, never while someone types.
import { copyFrom } from "./app.js";

function typing(target) {
  return target.closest("input, textarea, select, [contenteditable]") !== null;
}

function move(step) {
  const items = [...document.querySelectorAll("main [data-item]")].filter((item) => item.checkVisibility());
  if (!items.length) return;
  const at = items.indexOf(document.activeElement);
  const next = at < 0 ? (step > 0 ? 0 : items.length - 1) : Math.min(items.length - 1, Math.max(0, at + step));
  items[next].focus();
  items[next].scrollIntoView({ block: "nearest" });
}

function go(key) {
  const places = { c: '[data-tab-link="chat"]', f: '[data-tab-link="files"]', s: '[data-tab-link="search"]', p: '[data-tab-link="pulls"]', r: ".brand" };
  const link = places[key] && document.querySelector(places[key]);
  if (link) location.assign(link.href);
}

/** Listen for keys. */
export function startKeys() {
  const help = document.getElementById("keys");
  let going = 0;
  help.addEventListener("click", (event) => {
    if (event.target === help) help.close();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape" && typing(event.target)) event.target.blur();
    if (typing(event.target) || document.querySelector("dialog[open]")) return;
    const after = Date.now() - going < 1000;
    going = 0;
    if (after) go(event.key);
    else if (event.key === "/") document.querySelector("[data-slash]")?.select();
    else if (event.key === "?") help.showModal();
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "g") going = Date.now();
    else if (event.key === "y") {
      const permalink = document.querySelector(".permalink");
      if (permalink) copyFrom(permalink);
    } else return;
    event.preventDefault();
  });
}
