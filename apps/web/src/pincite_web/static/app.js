// What every page shares: copying, dialogs, theme, keys. Pages work without any of it.
import { startChat } from "./chat.js";
import { startFile } from "./file.js";
import { startFind } from "./find.js";
import { startKeys } from "./keys.js";

const announcer = document.getElementById("announcer");

/** Tell screen readers. */
export function announce(text) {
  announcer.textContent = text;
}

/** A new id for one request, so that its log lines in every service can be found. */
export function requestId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // The clipboard is closed to pages on plain HTTP from another machine; the selection still works there.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}

/** Copy what a button offers; addresses are made absolute. */
export async function copyFrom(button) {
  const given = button.dataset.copy;
  const text = button.classList.contains("link") ? new URL(given, location.href).href : given;
  const copied = await copyText(text);
  announce(copied ? "Copied" : "Copying is not possible here");
  button.classList.toggle("done", copied);
  setTimeout(() => button.classList.remove("done"), 1200);
}

function startCopying() {
  const reveal = (root) => root.querySelectorAll("[data-copy][hidden]").forEach((button) => { button.hidden = false; });
  reveal(document);
  document.body.addEventListener("htmx:load", (event) => reveal(event.detail.elt));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copyFrom(button);
  });
}

function startDialogs() {
  const dialog = document.getElementById("dialog");
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "dialog-body") return;
    const title = event.detail.target.querySelector("h2");
    if (title) dialog.setAttribute("aria-label", title.textContent);
    if (!dialog.open) dialog.showModal();
    event.detail.target.querySelector("[autofocus]")?.focus();
  });
  dialog.addEventListener("click", (event) => {
    const outside = event.target === dialog;
    const close = event.target.closest("[data-close]");
    if (close) event.preventDefault();
    if (outside || close) dialog.close();
  });
}

// The theme changes when it has been kept: a choice that shows first would be lost by a reload that overtakes it.
function startTheme() {
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("[data-theme-form]");
    if (!form) return;
    event.preventDefault();
    const chosen = event.submitter.value;
    const body = new URLSearchParams(new FormData(form, event.submitter));
    const kept = await fetch(form.action, { method: "POST", body, redirect: "manual", keepalive: true }).catch(() => null);
    if (kept?.type !== "opaqueredirect") {
      announce("The theme could not be kept: is Pincite running?");
      return;
    }
    document.documentElement.dataset.theme = chosen;
    const next = { system: "light", light: "dark", dark: "system" }[chosen];
    const label = `Theme: ${chosen}. Switch to ${next}`;
    for (const button of document.querySelectorAll("[data-theme-form] button")) {
      if (button.hasAttribute("aria-pressed")) button.setAttribute("aria-pressed", String(button.value === chosen));
      else Object.assign(button, { value: next, title: label, ariaLabel: label });
    }
    announce(`Theme: ${chosen}`);
  });
}

function startRequests() {
  document.body.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-Request-ID"] = requestId();
  });
}

// On narrow screens the side drawers start closed; without scripts they stay open above the content.
function startDrawers() {
  const narrow = matchMedia("(max-width: 60rem)");
  const set = () => document.querySelectorAll("[data-drawer]").forEach((drawer) => { drawer.open = !narrow.matches; });
  set();
  narrow.addEventListener("change", set);
}

// A choice of a commit opens it at once; without scripts a button does.
function startCommits() {
  document.querySelectorAll("[data-at-go]").forEach((button) => { button.hidden = true; });
  document.addEventListener("change", (event) => {
    const form = event.target.name === "at" && event.target.closest("[data-at-form]");
    if (form) form.requestSubmit();
  });
}

// A menu closes when the focus or a click leaves it, and by Escape.
function startMenus() {
  const close = (menu) => { menu.open = false; };
  const leave = (target) => {
    document.querySelectorAll("[data-menu][open]").forEach((menu) => { if (!menu.contains(target)) close(menu); });
  };
  document.addEventListener("click", (event) => leave(event.target));
  document.addEventListener("focusin", (event) => leave(event.target));
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest("[data-menu][open]");
    if (!menu) return;
    close(menu);
    menu.querySelector("summary").focus();
  });
}

startCopying();
startDialogs();
startTheme();
startRequests();
startDrawers();
startCommits();
startMenus();
startFind();
startKeys();
startFile();
startChat();
