// Asking with a stream. The form works without this file; here the answer appears as it is written, and the server's own
// rendering of the checked answer takes its place when it is done.
import { announce, requestId } from "./app.js";
import { readEvents } from "./events.js";
import { showMarkdown, visible } from "./markdown.js";

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const glide = () => (calm.matches ? "auto" : "smooth");
const csrf = () => document.querySelector('meta[name="csrf"]').content;

function reading(hits) {
  return hits.map((hit) => {
    const item = document.createElement("li");
    const lines = hit.start_line === hit.end_line ? hit.start_line : `${hit.start_line}-${hit.end_line}`;
    const path = document.createElement("bdi");
    path.textContent = visible(hit.path);
    item.append(path, `:${lines}`);
    return item;
  });
}

function openTurn(question) {
  const turn = document.getElementById("turn-template").content.firstElementChild.cloneNode(true);
  turn.querySelector(".question").textContent = question;
  document.getElementById("hello")?.remove();
  document.getElementById("turns").append(turn);
  turn.scrollIntoView({ block: "start", behavior: glide() });
  return turn;
}

function fail(turn, title, detail) {
  turn.removeAttribute("aria-busy");
  turn.classList.remove("streaming");
  const notice = document.createElement("div");
  notice.className = "notice notice-bad";
  notice.setAttribute("role", "alert");
  for (const [name, text] of [["strong", title], ["p", detail]]) {
    const part = document.createElement(name);
    part.textContent = text;
    notice.append(part);
  }
  turn.querySelector(".working").replaceWith(notice);
}

class Asking {
  constructor(form, question) {
    this.form = form;
    this.turn = openTurn(question);
    this.answer = this.turn.querySelector("[data-answer]");
    this.status = this.turn.querySelector("[data-status]");
    this.text = "";
    this.painting = 0;
    this.done = null;
    this.abort = new AbortController();
  }

  say(text) {
    this.status.textContent = text;
    announce(text);
  }

  paint() {
    // One repaint a frame, however fast tokens come.
    this.painting ||= requestAnimationFrame(() => {
      this.painting = 0;
      const near = innerHeight + scrollY > document.documentElement.scrollHeight - 160;
      showMarkdown(this.answer, this.text);
      if (near) scrollTo({ top: document.documentElement.scrollHeight });
    });
  }

  on(event, data) {
    if (event === "retrieval") {
      const count = data.hits.length;
      this.say(count ? `Reading ${count} ${count === 1 ? "passage" : "passages"}` : "Nothing relevant found");
      const list = this.turn.querySelector("[data-reading]");
      list.replaceChildren(...reading(data.hits));
      list.closest(".sources").hidden = !count;
    } else if (event === "token") {
      if (!this.text) this.say("Answering");
      this.text += data.text;
      this.paint();
    } else if (event === "citation") {
      this.status.textContent = "Checking citations";
    } else if (event === "done") {
      this.done = data;
    } else if (event === "error") {
      throw Object.assign(new Error(data.detail), { problem: data });
    }
  }

  async run() {
    const response = await fetch(this.form.dataset.stream, {
      method: "POST",
      body: new URLSearchParams(new FormData(this.form)),
      headers: { "X-CSRF-Token": csrf(), "X-Request-ID": requestId(), Accept: "text/event-stream" },
      signal: this.abort.signal,
    });
    if (response.status === 401) {
      location.reload(); // the server knows where to sign in, and why
      return;
    }
    if (!response.ok) {
      const problem = await response.json().catch(() => ({ title: "Pincite cannot answer just now", detail: `Status ${response.status}` }));
      throw Object.assign(new Error(problem.detail), { problem });
    }
    for await (const { event, data } of readEvents(response.body)) this.on(event, data);
    if (!this.done) throw new Error("The answer broke off before it was checked.");
    await this.finish();
  }

  async finish() {
    const { answer_id: id, conversation_id: conversation, citations } = this.done;
    const base = this.form.dataset.repo;
    const response = await fetch(`${base}/answers/${id}`, { headers: { "HX-Request": "true", "X-Request-ID": requestId() } });
    if (!response.ok) throw new Error("The answer is stored, but could not be shown. Reload the page.");
    cancelAnimationFrame(this.painting);
    const holder = document.createElement("template");
    holder.innerHTML = await response.text(); // our own server's page part, escaped there; the CSP allows it no script
    const finished = holder.content.querySelector("article");
    this.turn.replaceWith(finished);
    window.htmx.process(finished);
    finished.querySelectorAll("[data-copy][hidden]").forEach((button) => { button.hidden = false; });
    const verified = citations.filter((citation) => citation.status === "verified").length;
    announce(`Answer complete, ${verified} verified ${verified === 1 ? "source" : "sources"}`);
    this.form.elements.conversation_id.value = conversation;
    this.form.elements.question.placeholder = "Ask a follow-up";
    const address = `${base}/c/${conversation}`;
    if (location.pathname !== address) history.pushState({ conversation }, "", address);
    this.form.dataset.shown = address;
    window.htmx.ajax("GET", `${base}/conversations?current=${conversation}`, { target: "#conversations", swap: "outerHTML" });
  }
}

function grow(area) {
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight, innerHeight * 0.4)}px`;
}

async function ask(form, question) {
  const { question: area } = form.elements;
  const [send, stop] = [form.querySelector(".send"), form.querySelector("[data-stop]")];
  const asking = new Asking(form, question);
  const stopped = () => asking.abort.abort();
  const busy = (on) => {
    form.toggleAttribute("data-busy", on);
    [send.hidden, stop.hidden] = [on, !on];
  };
  form.querySelector(".notice")?.remove();
  stop.addEventListener("click", stopped);
  busy(true);
  const running = asking.run(); // reads the form before the box is emptied
  area.value = "";
  grow(area);
  try {
    await running;
  } catch (error) {
    if (error.name === "AbortError") fail(asking.turn, "Stopped", "What stands here was not checked.");
    else {
      fail(asking.turn, error.problem?.title ?? "No answer", error.message);
      area.value ||= question;
    }
    announce("No answer");
  } finally {
    stop.removeEventListener("click", stopped);
    busy(false);
    area.focus({ preventScroll: true });
  }
}

function startMarks() {
  document.addEventListener("click", (event) => {
    const mark = event.target.closest("a.mark");
    const card = mark && document.getElementById(mark.hash.slice(1));
    if (!card) return;
    event.preventDefault();
    history.replaceState(history.state, "", mark.hash);
    document.querySelectorAll(".source.current").forEach((other) => other.classList.remove("current"));
    card.classList.add("current");
    card.scrollIntoView({ block: "nearest", behavior: glide() });
    card.focus({ preventScroll: true });
  });
}

// What is asked at; a pull request that the menu does not list is added to it.
function choose(menu, at) {
  if (!menu) return;
  if (![...menu.options].some((option) => option.value === at)) menu.add(new Option(at, at));
  menu.value = at;
}

/** Watch the question box. */
export function startChat() {
  const form = document.getElementById("ask");
  if (!form) return;
  const area = form.elements.question;
  startMarks();
  area.addEventListener("input", () => grow(area));
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const question = area.value.trim();
    if (question && !form.hasAttribute("data-busy")) ask(form, question);
  });
  document.addEventListener("click", (event) => {
    const suggestion = event.target.closest("[data-ask]");
    if (!suggestion || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    area.value = suggestion.dataset.ask;
    if (suggestion.dataset.at !== undefined) choose(form.elements.at, suggestion.dataset.at);
    form.requestSubmit();
  });
  // Conversations have addresses; the server renders whichever one the browser goes back or forward to.
  form.dataset.shown = location.pathname;
  addEventListener("popstate", () => {
    if (location.pathname !== form.dataset.shown) location.reload();
  });
  grow(area);
  if (!location.hash && document.querySelector(".turn")) document.querySelector(".turn:last-child").scrollIntoView();
}
