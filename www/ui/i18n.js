/**
 * The page's texts in the user's language.
 *
 * An element says what it shows by `data-t="key"`, and its attributes by `data-t-aria-label="key"`
 * and so on, in HTML or by `setMessage()`; when the language changes, all of them change. In a
 * message, `{name}` is replaced: by the element's child `data-part="name"` if it has one, else
 * by the value of that name. A message that depends on a number is an object by plural category, and
 * the number is `count`.
 */
import english from "../i18n/en.js";
import { contained } from "./text.js";

const LANGUAGES = {
  en: { name: "English", dir: "ltr", load: async () => english },
  zh: { name: "中文", dir: "ltr", load: async () => (await import("../i18n/zh.js")).default },
};

const ATTRIBUTES = ["aria-label", "placeholder", "title", "alt"];
const SELECTOR = ["[data-t]", ...ATTRIBUTES.map((name) => `[data-t-${name}]`)].join();
const STORED = "promptlens.language";

let current = "en";
let messages = english;
/** The values that `setMessage()` got, by attribute; `""` is the text. @type {WeakMap<Element, Map<string, object>>} */
const values = new WeakMap();
const listeners = new Set();

/** The code of the language that is shown. */
export const language = () => current;

/** Codes and own names of all languages. */
export const languages = () => Object.entries(LANGUAGES).map(([code, { name }]) => ({ code, name }));

/**
 * A message with its values. A number is written in the language's own way; a function is called for
 * its value, so that what it formats follows the language.
 *
 * @param {string} key
 * @param {Record<string, string | number | (() => string)>} [given]
 */
export function t(key, given = {}) {
  return pieces(key, given)
    .map((piece) => (typeof piece === "string" ? piece : piece.value))
    .join("");
}

/** Whether there is such a message, in this language or in English. */
export const known = (key) => key in messages || key in english;

/** Shows a message in an element, or in one of its attributes, in this language and any later one. */
export function setMessage(element, key, given = {}, attribute = "") {
  const own = values.get(element) ?? new Map();
  values.set(element, own.set(attribute, given));
  element.setAttribute(attribute ? `data-t-${attribute}` : "data-t", key);
  apply(element, attribute);
}

/** Shows text that is not a message: a name, or nothing. */
export function setText(element, text = "") {
  element.removeAttribute("data-t");
  element.textContent = text;
}

/** Calls `listener` after each change of the language. */
export const onLanguage = (listener) => void listeners.add(listener);

/** Shows another language and remembers it. */
export async function setLanguage(code, { remember = true } = {}) {
  const next = LANGUAGES[code] ? code : "en";
  messages = await LANGUAGES[next].load();
  current = next;
  document.documentElement.lang = next === "zh" ? "zh-Hans" : next;
  document.documentElement.dir = LANGUAGES[next].dir;
  if (remember) store(next);
  translate(document);
  for (const listener of listeners) listener();
}

/** The language of the address, of an earlier choice, or of the browser. */
export function preferred(search) {
  const asked = [new URLSearchParams(search).get("lang"), stored(), ...navigator.languages];
  return asked.map((code) => code?.toLowerCase().split("-")[0]).find((code) => code && LANGUAGES[code]) ?? "en";
}

/** Shows everything under `root` in the current language, templates included. */
function translate(root) {
  for (const element of root.querySelectorAll(SELECTOR)) {
    if (element.dataset.t) apply(element, "");
    for (const attribute of ATTRIBUTES) if (element.hasAttribute(`data-t-${attribute}`)) apply(element, attribute);
  }
  for (const template of root.querySelectorAll("template")) translate(template.content);
}

function apply(element, attribute) {
  const given = values.get(element)?.get(attribute) ?? {};
  const key = element.getAttribute(attribute ? `data-t-${attribute}` : "data-t");
  if (attribute) {
    element.setAttribute(attribute, t(key, given));
    return;
  }
  const parts = new Map([...element.children].filter((child) => child.dataset.part).map((child) => [child.dataset.part, child]));
  const nodes = pieces(key, given).map((piece) => (typeof piece === "string" ? piece : (parts.get(piece.name) ?? piece.value)));
  element.replaceChildren(...nodes);
}

/** A message as text and named values, in order. */
function pieces(key, given) {
  let message = messages[key] ?? english[key] ?? key;
  if (typeof message === "object") {
    message = message[new Intl.PluralRules(current).select(given.count)] ?? message.other;
  }
  return message
    .split(/(\{\w+\})/)
    .filter(Boolean)
    .map((piece) => {
      const name = /^\{(\w+)\}$/.exec(piece)?.[1];
      return name === undefined ? piece : { name, value: written(given[name] ?? piece) };
    });
}

function written(value) {
  if (typeof value === "function") return written(value());
  return typeof value === "number" ? value.toLocaleString(current) : contained(value);
}

// A page inside a sandbox has no storage; its language then lasts as long as the page.
function stored() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null;
  }
}

function store(code) {
  try {
    localStorage.setItem(STORED, code);
  } catch {
    // See above.
  }
}
