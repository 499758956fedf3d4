/**
 * What a script adds to the documents, which can be read without one: a button that copies a block of code,
 * and a search over all parts of all pages.
 */
const MOST = 12;
/** Characters of a part that are shown around the first word found. */
const AROUND = 140;
const root = new URL(document.body.dataset.root, document.baseURI);

const element = (tag, properties, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};

for (const block of document.querySelectorAll("main pre")) {
  const copy = element("button", { type: "button", className: "button small copy", textContent: "Copy" });
  copy.addEventListener("click", async () => {
    const done = await navigator.clipboard.writeText(block.textContent.trimEnd()).then(
      () => true,
      () => false,
    );
    // Without the permission the reader can still press the keys for it.
    if (!done) getSelection().selectAllChildren(block);
    copy.textContent = done ? "Copied" : "Selected";
    setTimeout(() => (copy.textContent = "Copy"), 2000);
  });
  block.after(copy);
}

/** Every part of every page, once somebody searches. */
let parts = null;
const load = () => (parts ??= fetch(new URL("search.json", root)).then((response) => response.json()));

const input = element("input", { type: "search", id: "search", placeholder: "Search", autocomplete: "off" });
input.setAttribute("aria-label", "Search the documents");
const results = element("div", { className: "results-of-search", hidden: true });
results.setAttribute("role", "status");
const form = element("form", { className: "search" }, input, results);
form.setAttribute("role", "search");
document.querySelector("header").append(form);

/** Parts that hold every word, those with more words in their headings first. */
function search(all, words) {
  const score = ({ title, heading, text }) => {
    const [inTitle, inHeading, inText] = [title, heading, text].map((part) => part.toLowerCase());
    if (!words.every((word) => `${inTitle} ${inHeading} ${inText}`.includes(word))) return 0;
    return words.reduce((sum, word) => sum + (inHeading.includes(word) ? 8 : 0) + (inTitle.includes(word) ? 4 : 0) + Math.min(3, inText.split(word).length - 1), 1);
  };
  return all
    .map((part) => [score(part), part])
    .filter(([value]) => value > 0)
    .sort(([a], [b]) => b - a)
    .slice(0, MOST)
    .map(([, part]) => part);
}

function excerpt(text, words) {
  const at = Math.max(0, text.toLowerCase().indexOf(words[0]) - AROUND / 3);
  return `${at > 0 ? "…" : ""}${text.slice(at, at + AROUND)}${at + AROUND < text.length ? "…" : ""}`;
}

async function show() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) {
    results.hidden = true;
    return;
  }
  const asked = input.value;
  let found;
  try {
    found = search(await load(), words);
  } catch {
    parts = null;
    results.textContent = "The search could not be loaded. Try again when there is a network.";
    results.hidden = false;
    return;
  }
  // Somebody typed on meanwhile.
  if (asked !== input.value) return;
  const item = ({ page, title, heading, id, text }) => {
    const link = element("a", { href: `${new URL(page, root).href}#${id}`, textContent: heading === title ? title : `${title}: ${heading}` });
    return element("li", {}, link, element("p", { textContent: excerpt(text, words) }));
  };
  results.replaceChildren(found.length > 0 ? element("ul", { className: "found" }, ...found.map(item)) : element("p", { textContent: "Nothing found." }));
  results.hidden = false;
}

input.addEventListener("focus", load, { once: true });
input.addEventListener("input", show);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  results.querySelector("a")?.click();
});
form.addEventListener("keydown", (event) => {
  if (event.key === "Escape") results.hidden = true;
});
results.addEventListener("click", () => (results.hidden = true));
