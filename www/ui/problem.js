import { known, plain, say, t } from "./i18n.js";

/** An error's sentence, for places that show no code. */
export function problemText({ code, message }) {
  const key = `error.${code}`;
  return known(key) ? t(key) : message;
}

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
