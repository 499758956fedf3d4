import { language, languages, onLanguage, setLanguage } from "../ui/i18n.js";

/** The choice of the page's language. @param {HTMLSelectElement} choice */
export function showLanguages(choice) {
  choice.append(...languages().map(({ code, name }) => new Option(name, code)));
  choice.addEventListener("change", () => void setLanguage(choice.value));
  onLanguage(() => {
    choice.value = language();
  });
}
