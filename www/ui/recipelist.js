/** Every recipe with its summary and its paper, of which one is chosen; and what one is, in words. */
import { known, setMessage, setText } from "./i18n.js";

/** The engine describes its recipes in English; a language may have its own sentence. */
export function showSummary(element, { name, summary }) {
  const key = `recipe.${name}`;
  if (known(key)) {
    setMessage(element, key);
    element.removeAttribute("lang");
  } else {
    setText(element, summary);
    element.lang = "en";
  }
}

const template = document.getElementById("recipe-template");

export class RecipeList {
  #list;
  #find;
  #none;
  /** @type {{recipe: import("../pkg/index.js").Recipe, item: HTMLElement, input: HTMLInputElement}[]} */
  #items = [];

  /**
   * @param {object} parts
   * @param {HTMLElement} parts.list
   * @param {HTMLInputElement} parts.find what is typed there must be in the name, the summary or the paper
   * @param {HTMLElement} parts.none says that nothing was found
   * @param {(name: string) => void} choose
   */
  constructor({ list, find, none }, choose) {
    this.#list = list;
    this.#find = find;
    this.#none = none;
    list.addEventListener("change", ({ target }) => choose(target.value));
    find.addEventListener("input", () => this.#search());
  }

  /** Shows these recipes in this order. @param {import("../pkg/index.js").Recipe[]} recipes */
  show(recipes) {
    this.#items = recipes.map((recipe) => {
      const item = template.content.cloneNode(true).firstElementChild;
      const [input, name, about, paper] = ["input", ".recipe-name", ".recipe-summary", ".recipe-paper"].map((part) => item.querySelector(part));
      input.value = recipe.name;
      [name.id, about.id, paper.id] = ["name", "summary", "paper"].map((part) => `recipe-${recipe.name}-${part}`);
      input.setAttribute("aria-labelledby", name.id);
      input.setAttribute("aria-describedby", `${about.id} ${paper.id}`);
      name.textContent = recipe.name;
      paper.textContent = recipe.paper;
      return { recipe, item, input };
    });
    this.#list.replaceChildren(...this.#items.map(({ item }) => item));
    this.reword();
  }

  /** Shows the summaries in the language of the page. */
  reword() {
    for (const { recipe, item } of this.#items) showSummary(item.querySelector(".recipe-summary"), recipe);
    this.#search();
  }

  /** Shows which one is chosen. */
  set value(name) {
    for (const { recipe, input } of this.#items) input.checked = recipe.name === name;
  }

  #search() {
    const words = this.#find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const { recipe, item } of this.#items) {
      const said = `${item.textContent} ${recipe.summary}`.toLowerCase();
      item.hidden = !words.every((word) => said.includes(word));
      found += item.hidden ? 0 : 1;
    }
    this.#none.hidden = found > 0;
    // Said again by a screen reader each time it comes up.
    if (found === 0) setMessage(this.#none, "recipes.none");
    else setText(this.#none);
  }
}
