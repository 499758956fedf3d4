// One document of Markdown as HTML, and its parts as plain text.
import { Marked } from "marked";

const escape = (text) => text.replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[c]);
/** GitHub's id of a heading. */
const slug = (heading) => heading.toLowerCase().replace(/[^\p{L}\p{N}_ -]/gu, "").trim().replaceAll(" ", "-");

/** The words of tokens, without their marks. */
function plain(tokens) {
  return tokens
    .map((token) => {
      if (token.type === "table") return [token.header, ...token.rows].map((row) => row.map((cell) => plain(cell.tokens)).join(" ")).join("\n");
      if (token.type === "list") return token.items.map((item) => plain(item.tokens)).join("\n");
      if (token.type === "br" || token.type === "space") return " ";
      return token.tokens ? plain(token.tokens) : (token.text ?? "");
    })
    .join(" ");
}

/**
 * @param {string} markdown
 * @param {(href: string) => string | null} target where a link leads on the site; `null`: nowhere
 * @returns {{title: string, html: string, parts: {heading: string, id: string, text: string}[]}}
 */
export function render(markdown, target) {
  const taken = new Map();
  const idOf = (words) => {
    const name = slug(words);
    const count = taken.get(name) ?? 0;
    taken.set(name, count + 1);
    return count === 0 ? name : `${name}-${count}`;
  };
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth }) {
        const id = idOf(plain(tokens));
        return `<h${depth} id="${escape(id)}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
      },
      code({ text, lang }) {
        return `<pre tabindex="0"${lang ? ` data-language="${escape(lang)}"` : ""}><code>${escape(text)}\n</code></pre>\n`;
      },
      html({ text }) {
        return escape(text);
      },
      link({ href, tokens }) {
        const words = this.parser.parseInline(tokens);
        const to = target(href);
        if (to === null) return `<span>${words}</span>`;
        return `<a href="${escape(to)}"${/^https?:/.test(to) ? ' rel="noreferrer"' : ""}>${words}</a>`;
      },
      image({ href, text }) {
        const to = target(href);
        return to === null ? escape(text) : `<img src="${escape(to)}" alt="${escape(text)}" loading="lazy">`;
      },
      table(token) {
        const cell = (wanted) => (one) => {
          // A header without words is none.
          const tag = one.text === "" ? "td" : wanted;
          return `<${tag}${one.align === "right" ? ' class="number"' : ""}>${this.parser.parseInline(one.tokens)}</${tag}>`;
        };
        const rows = (tag, list) => list.map((row) => `<tr>${row.map(cell(tag)).join("")}</tr>`).join("\n");
        const head = token.header.some(({ text }) => text !== "") ? `<thead>${rows("th", [token.header])}</thead>\n` : "";
        return `<div class="scroll" tabindex="0"><table>${head}<tbody>${rows("td", token.rows)}</tbody></table></div>\n`;
      },
    },
  });
  const tokens = marked.lexer(markdown);
  const html = marked.parser(tokens);
  // The same ids once more, for the index.
  taken.clear();
  const parts = [];
  let title = "";
  for (const token of tokens) {
    if (token.type === "heading") {
      const heading = plain(token.tokens).trim();
      if (title === "") title = heading;
      parts.push({ heading, id: idOf(heading), text: "" });
    } else if (parts.length > 0) {
      parts.at(-1).text = `${parts.at(-1).text} ${plain([token])}`.replace(/\s+/g, " ").trim();
    }
  }
  return { title, html, parts };
}
