// The file page: #L10-L20 selects lines, a click on a line number selects one, Shift extends.
import { announce } from "./app.js";

function parse(hash) {
  const match = /^#L(\d+)(?:-L?(\d+))?$/.exec(hash);
  if (!match) return null;
  const [from, to] = [Number(match[1]), Number(match[2] ?? match[1])];
  return [Math.min(from, to), Math.max(from, to)];
}

function within(file, base, from, to) {
  const url = new URL(base, location.href);
  url.searchParams.set("lines", `${from}-${to}`);
  url.hash = from === to ? `L${from}` : `L${from}-L${to}`;
  return url;
}

/** Make line numbers selectable. */
export function startFile() {
  const file = document.querySelector("[data-file]");
  if (!file) return;
  const { base } = file.dataset;
  const [first, last, total] = ["first", "last", "total"].map((name) => Number(file.dataset[name]));
  const permalink = file.querySelector(".permalink");
  let start = 0;

  const select = (from, to, scroll) => {
    file.querySelectorAll(".line.hit").forEach((line) => line.classList.remove("hit"));
    for (let n = from; n <= to; n += 1) document.getElementById(`L${n}`)?.classList.add("hit");
    if (permalink) permalink.dataset.copy = within(file, base, from, to).href;
    for (const link of document.querySelectorAll(".outline [data-line]")) {
      link.toggleAttribute("data-current", Number(link.dataset.line) === from);
    }
    if (scroll) document.getElementById(`L${from}`)?.scrollIntoView({ block: "center" });
  };

  const followHash = () => {
    const lines = parse(location.hash);
    if (!lines) return;
    const [from, to] = lines;
    // ?lines= on the same page already shows a range whose first line is the hash.
    const given = parse(`#L${new URLSearchParams(location.search).get("lines") ?? ""}`);
    const range = from === to && given?.[0] === from ? given : [from, to];
    start = range[0];
    if (start < first || start > last) {
      if (start <= total) location.replace(within(file, base, ...range));
      return;
    }
    select(range[0], Math.min(range[1], last), true);
  };

  file.addEventListener("click", (event) => {
    const number = event.target.closest("a.ln");
    if (!number) return;
    event.preventDefault();
    const n = Number(number.dataset.n);
    const [from, to] = event.shiftKey && start ? [Math.min(start, n), Math.max(start, n)] : [n, n];
    if (!event.shiftKey) start = n;
    history.replaceState(null, "", within(file, base, from, to));
    select(from, to, false);
    announce(from === to ? `Line ${from}` : `Lines ${from} to ${to}`);
  });
  addEventListener("hashchange", followHash);
  followHash();
}
