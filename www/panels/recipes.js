import { afterTheIdea, suggestionsFor } from "../state/suggestions.js";
import { cosine, percent } from "../ui/format.js";
import { onLanguage, setMessage, setText, t } from "../ui/i18n.js";
import { RecipeList, showSummary } from "../ui/recipelist.js";
import { Panel } from "./panel.js";

/** What the page has for a recipe; texts about pairs of classes have their own place. */
const GIVEN = ["nothing", "images", "unlabelled"];
/** The recipe if nothing is suggested. */
const DEFAULT = "coop";
/** How figures are written, by what they are of. */
const GAINS = {
  accuracy: { written: percent, same: "suggest.same", change: "suggest.change" },
  auroc: { written: cosine, same: "suggest.auroc-same", change: "suggest.auroc-change" },
};

/** Which recipe learns: a few are suggested by what the reader has, and all can be found. */
export class RecipesPanel extends Panel {
  #suggestions = this.find("teach-suggestions");
  #list;
  #having;
  #changed;
  #elsewhere;
  /** @type {import("../pkg/index.js").Recipe[]} */
  #recipes = [];
  /** What the reader chose, over what is suggested. @type {{recipe: string, set: Record<string, string>} | null} */
  #own = null;
  /** The suggestions that are shown. @type {import("../state/suggestions.js").Suggestion[]} */
  #shown = [];

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {object} page
   * @param {() => import("../state/suggestions.js").Having} page.having
   * @param {() => void} page.changed called when another recipe is chosen
   * @param {Record<string, () => void>} page.elsewhere brings the focus to where a suggestion begins, by its `at`
   */
  constructor(root, session, { having, changed, elsewhere }) {
    super(root, session);
    this.#having = having;
    this.#changed = changed;
    this.#elsewhere = elsewhere;
    const parts = { list: this.find("teach-recipes"), find: this.find("teach-find"), none: this.find("teach-found") };
    this.#list = new RecipeList(parts, (recipe) => this.#choose({ recipe, set: {} }));
    this.#suggestions.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (button) this.#take(this.#shown.find(({ recipe }) => recipe === button.value));
    });
    this.on("model", () => this.#showAll());
    onLanguage(() => {
      this.#list.reword();
      this.#shown = [];
      this.render();
    });
  }

  /** The recipe that is chosen, with parameters that are not its own; `recipe` is missing before there is a model. */
  get chosen() {
    const [first] = this.#shown.filter(({ at }) => !at);
    const { recipe, set = {} } = this.#own ?? first ?? { recipe: DEFAULT };
    return { recipe: this.#recipes.find(({ name }) => name === recipe), set };
  }

  #choose(own) {
    this.#own = own;
    this.#changed();
  }

  #take({ recipe, set = {}, at }) {
    if (at) this.#elsewhere[at]();
    else this.#choose({ recipe, set });
  }

  /** Offers what the engine of the model can do; what only an abstract tells comes last. */
  #showAll() {
    const given = this.session.recipes.filter(({ needs }) => GIVEN.includes(needs));
    this.#recipes = [...given.filter((recipe) => !afterTheIdea(recipe)), ...given.filter(afterTheIdea)];
    if (!this.#recipes.some(({ name }) => name === this.#own?.recipe)) this.#own = null;
    this.#list.show(this.#recipes);
    this.find("teach-all").hidden = this.#recipes.length === 0;
    setText(this.find("teach-all-count"), String(this.#recipes.length));
    this.#changed();
  }

  render() {
    const suggested = suggestionsFor(this.#having(), this.session.recipes);
    const same = suggested.length === this.#shown.length && suggested.every((one, i) => one === this.#shown[i]);
    this.#shown = suggested;
    // A button that is made anew loses the focus.
    if (!same) this.#suggest();
    const { recipe: chosen, set } = this.chosen;
    for (const button of this.#suggestions.querySelectorAll("[aria-pressed]")) {
      const own = this.#shown.find(({ recipe }) => recipe === button.value);
      button.setAttribute("aria-pressed", String(own.recipe === chosen?.name && sameSet(own.set, set)));
    }
    this.#list.value = chosen?.name;
    setText(this.find("teach-recipe"), chosen?.name);
    setText(this.find("teach-paper"), chosen?.paper);
    if (chosen) showSummary(this.find("teach-summary"), chosen);
  }

  #suggest() {
    const focused = this.#suggestions.contains(document.activeElement) ? document.activeElement.value : null;
    this.#suggestions.replaceChildren(...this.#shown.map(itemOf));
    this.#suggestions.parentElement.hidden = this.#shown.length === 0;
    if (focused) (this.#suggestions.querySelector(`button[value="${CSS.escape(focused)}"]`) ?? this.find("teach-all").querySelector("summary")).focus();
  }
}

const sameSet = (one = {}, other = {}) => JSON.stringify(one) === JSON.stringify(other);

/** @param {import("../state/suggestions.js").Suggestion} suggestion */
function itemOf({ recipe, at, says, measured }) {
  const item = document.createElement("li");
  const button = Object.assign(document.createElement("button"), { type: "button", className: "suggestion", value: recipe });
  if (!at) button.setAttribute("aria-pressed", "false");
  const [what, gain] = ["span", "small"].map((name) => document.createElement(name));
  setMessage(what, `suggest.${says}`);
  setText(gain, measured ? gainOf(recipe, measured) : t("suggest.unmeasured", { recipe }));
  button.append(what, gain);
  item.append(button);
  return item;
}

/** What a recipe gained or lost where it was measured. */
function gainOf(recipe, { model, photos, of = "accuracy", figures }) {
  const { written, same, change } = GAINS[of];
  const said = figures.map(({ set, before, after }) => {
    const [old, now] = [written(before), written(after)];
    return old === now ? t(same, { set, value: old }) : t(change, { set, before: old, after: now });
  });
  const how = { recipe, model: t(`suggest.${model}`), figures: said.join(t("suggest.between")) };
  return photos ? t("suggest.gain-photos", { ...how, photos }) : t("suggest.gain", how);
}
