/**
 * Elements for the part of Markdown that the model cards use: headings, paragraphs, lists, tables, code
 * blocks; bold, code and links inside a line. Everything else stays text.
 */

const INLINE = /\*\*(.+?)\*\*|`([^`]+)`|\[([^\]]+)\]\(([^)\s]+)\)/g;

const element = (tag, ...children) => {
  const made = document.createElement(tag);
  made.append(...children);
  return made;
};

/** The parts of a line; links only to pages, seen from `base`. */
function inline(text, base) {
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(INLINE)) {
    const [whole, bold, code, words, address] = found;
    parts.push(text.slice(end, found.index));
    end = found.index + whole.length;
    if (bold) parts.push(element("strong", ...inline(bold, base)));
    else if (code) parts.push(element("code", code));
    else parts.push(link(words, address, base));
  }
  parts.push(text.slice(end));
  return parts.filter((part) => part !== "");
}

function link(words, address, base) {
  const url = URL.canParse(address, base) ? new URL(address, base) : null;
  const text = inline(words, base);
  // The site has the files of models only; other files of the project are named without a link.
  const here = url?.origin === location.origin && !url.href.startsWith(new URL("./models/", document.baseURI).href);
  if (!url || !/^https?:$/.test(url.protocol) || here) return element("span", ...text);
  const made = element("a", ...text);
  made.href = url.href;
  made.rel = "noreferrer";
  return made;
}

const cells = (row) => row.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());

function table(rows, base) {
  const [head, rule, ...body] = rows.map(cells);
  const right = rule.map((cell) => cell.endsWith(":"));
  const line = (tag) => (row) =>
    element("tr", ...row.map((cell, column) => {
      const made = element(tag, ...inline(cell, base));
      made.classList.toggle("number", right[column] ?? false);
      return made;
    }));
  const parts = [element("tbody", ...body.map(line("td")))];
  if (head.some((cell) => cell !== "")) parts.unshift(element("thead", line("th")(head)));
  const around = element("div", element("table", ...parts));
  around.className = "scroll";
  around.tabIndex = 0;
  return around;
}

/** One block: lines without an empty one between. */
function block(lines, base) {
  const [first] = lines;
  const heading = /^(#{1,4}) (.*)$/.exec(first);
  if (heading) return element(`h${heading[1].length}`, ...inline(heading[2], base));
  if (first.startsWith("|") && lines.length > 1) return table(lines, base);
  if (first.startsWith("    ")) return element("pre", element("code", lines.map((line) => line.slice(4)).join("\n")));
  if (first.startsWith("- ")) {
    const items = lines.join("\n").slice(2).split("\n- ");
    return element("ul", ...items.map((item) => element("li", ...inline(item.replaceAll("\n", " "), base))));
  }
  return element("p", ...inline(lines.join(" "), base));
}

/**
 * @param {string} text
 * @param {string} base what links are seen from
 * @returns {HTMLElement[]}
 */
export function markdown(text, base) {
  const blocks = text.replaceAll("\r\n", "\n").split(/\n\s*\n/).filter((part) => part.trim() !== "");
  return blocks.map((part) => block(part.replace(/^\n+|\n+$/g, "").split("\n"), base));
}
