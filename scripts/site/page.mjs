// The frame around a document.

const escape = (text) => text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

/**
 * @param {{title: string, body: string, root: string, navigation: {title: string, links: {title: string, href: string, current: boolean}[]}[]}} parts
 *   `root` leads from the page to the folder of the documents
 */
export function page({ title, body, root, navigation }) {
  const link = ({ title, href, current }) => `<li><a href="${escape(href)}"${current ? ' aria-current="page"' : ""}>${escape(title)}</a></li>`;
  const section = ({ title, links }) => `<section><h2>${escape(title)}</h2><ul>${links.map(link).join("")}</ul></section>`;
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'; img-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="referrer" content="no-referrer">
    <title>${escape(title)} - promptlens</title>
    <link rel="icon" href="${root}/../icon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="${root}/../styles/base.css">
    <link rel="stylesheet" href="${root}/../styles/about.css">
    <link rel="stylesheet" href="${root}/../styles/documents.css">
    <script type="module" src="${root}/../ui/documents.js"></script>
  </head>
  <body class="about documents" data-root="${root}/">
    <header><a href="${root}/../">promptlens</a> <a href="#documents">All documents</a></header>
    <main>
${body}
    </main>
    <nav id="documents" aria-label="Documents">
${navigation.map(section).join("\n")}
    </nav>
  </body>
</html>
`;
}
