import { known, plain, say } from "./i18n.js";

/**
 * Shows an error's sentence and code in `element`, whose first two children take them, or hides it
 * when there is none. The engine speaks English; a language may have a sentence of its own for a code.
 */
export function showProblem(element, error) {
  const [message, code] = element.children;
  const key = `error.${error?.code}`;
  if (error && known(key)) say(message, key);
  else plain(message, error?.message);
  // The engine's own sentence tells the case at hand.
  message.title = error && known(key) ? error.message : "";
  code.textContent = error?.code ?? "";
  element.hidden = !error;
}
