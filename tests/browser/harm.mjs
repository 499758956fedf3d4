/** Names that want to be more than names, and what they must not do. */

/** Class names that the engine takes. */
export const NAMES = [
  "<img src=x onerror=window.hit=1>",
  "</bdi></option></script><script>window.hit=2</script>",
  "\u202egnp.exe\u202d",
  "\u2067right",
  // Hebrew after a beginning that nothing ends.
  "\u2068\u05d0",
  "\u2069\u202eout",
  "bell\u0007 and escape\u001b[31m",
  '=HYPERLINK("http://x";"y")',
  "@SUM(1)",
  "{name} $& &lt;b&gt; javascript:window.hit=3",
  "nul \u0000 in between",
  `"'\`><!-- ]]> ${"\u0301".repeat(30)}`,
];

/** Splits a CSV as RFC 4180 has it. */
export function cells(csv) {
  const rows = [[""]];
  for (const [, quoted, plain, end] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/g)) {
    rows.at(-1)[rows.at(-1).length - 1] = quoted === undefined ? plain : quoted.replaceAll('""', '"');
    if (end === ",") rows.at(-1).push("");
    if (end === "\r\n") rows.push([""]);
    if (end === "") break;
  }
  return rows.slice(0, -1);
}

/** Runs in the page: elements that names made, and marks that turn the reading direction of what is around a name. */
export function harm() {
  const found = [];
  if (window.hit !== undefined) found.push(`a script ran: ${window.hit}`);
  /** Whether marks in a text act beyond it. */
  const reaches = (text) => {
    let open = 0;
    for (const sign of text) {
      if (/[\u2066-\u2068]/.test(sign)) open += 1;
      else if (sign === "\u2069") open -= 1;
      else if (/[\u202a-\u202e]/.test(sign) && open === 0) return true;
      if (open < 0) return true;
    }
    return open > 0;
  };
  const walk = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) walk(element.shadowRoot);
      if (element.localName === "img" && element.getAttribute("src") === "x") found.push("an image");
      if (element.localName === "a" && element.protocol === "javascript:") found.push("a link");
      for (const { name, value } of element.attributes) {
        if (/^on/.test(name)) found.push(`a handler: ${name}`);
        if (["title", "aria-label"].includes(name) && reaches(value)) found.push(`${name} of ${element.localName}: ${value}`);
      }
    }
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const { textContent: text, parentElement: parent } = texts.currentNode;
      if (reaches(text) && !parent?.closest("bdi, [dir=auto], option, textarea")) found.push(`${parent?.localName} .${parent?.className} #${parent?.id}: ${text}`);
    }
  };
  walk(document);
  return found;
}
