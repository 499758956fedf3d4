/** The page that shows the README of a model of this site. */
import { LOCAL } from "./local.js";
import { markdown } from "./markdown.js";

const wanted = new URLSearchParams(location.search).get("model");
const { model } = LOCAL.find(({ key }) => key === wanted) ?? LOCAL[0];
const main = document.querySelector("main");

try {
  const address = new URL("README.md", model);
  const response = await fetch(address);
  if (!response.ok) throw new Error(String(response.status));
  main.replaceChildren(...markdown(await response.text(), address.href));
  document.title = main.querySelector("h1")?.textContent ?? document.title;
} catch {
  main.textContent = "The card could not be loaded. Reload the page when there is a network.";
}
main.removeAttribute("aria-busy");
