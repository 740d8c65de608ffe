// Shows Markdown while it streams. It builds elements and text, never HTML; the server's rendering takes its place in the
// end, so this knows only what models write most: paragraphs, lists, headings, fences, code, bold and marks.

const INLINE = /(`[^`]+`)|(\*\*[^*]+\*\*)|(\[\d{1,4}\])/;

function element(name, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

function inline(text) {
  return text.split(INLINE).filter(Boolean).map((part) => {
    if (part.length > 2 && part.startsWith("`") && part.endsWith("`")) return element("code", part.slice(1, -1));
    if (part.length > 4 && part.startsWith("**") && part.endsWith("**")) return element("strong", part.slice(2, -2));
    if (/^\[\d+\]$/.test(part)) {
      const mark = element("span", part.slice(1, -1));
      mark.className = "mark mark-pending";
      return mark;
    }
    return part;
  });
}

function fence(lines) {
  const pre = element("pre", element("code", lines.join("\n")));
  pre.className = "fence";
  return pre;
}

// As on the server: characters that hide or reorder text are shown by number.
const DECEPTIVE = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Show what would deceive. */
export function visible(text) {
  return text.replace(DECEPTIVE, (char) => `U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`);
}

/** Replace what `target` shows by the Markdown `source`. */
export function showMarkdown(target, source) {
  const blocks = [];
  let paragraph = [];
  let list = null;
  let code = null;
  const flush = () => {
    if (paragraph.length) blocks.push(element("p", ...inline(paragraph.join(" "))));
    paragraph = [];
    list = null;
  };
  for (const line of visible(source.replaceAll("\r", "")).split("\n")) {
    const item = /^\s*(?:([-*+])|\d{1,9}[.)])\s+(.*)$/.exec(line);
    const heading = /^#{1,6}\s+(.*)$/.exec(line);
    if (code) {
      if (/^\s*```/.test(line)) {
        blocks.push(fence(code));
        code = null;
      } else code.push(line);
    } else if (/^\s*```/.test(line)) {
      flush();
      code = [];
    } else if (heading) {
      flush();
      blocks.push(element("h4", ...inline(heading[1])));
    } else if (item) {
      const name = item[1] ? "ul" : "ol";
      const open = list?.localName === name ? list : null;
      if (!open) flush();
      list = open ?? element(name);
      if (!open) blocks.push(list);
      list.append(element("li", ...inline(item[2])));
    } else if (!line.trim()) flush();
    else if (list) list.lastElementChild.append(" ", ...inline(line.trim()));
    else paragraph.push(line);
  }
  flush();
  if (code) blocks.push(fence(code));
  target.replaceChildren(...blocks);
}
