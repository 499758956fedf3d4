import { known, setText, setMessage, t } from "./i18n.js";

/** The key of an error's own sentence: the page's errors name it, the engine's have one for each code. */
const keyOf = (error) => error.key ?? `error.${error.code}`;

/** An error's sentence, for places that show no code. */
export function problemText(error) {
  return known(keyOf(error)) ? t(keyOf(error)) : error.message;
}

/**
 * Shows an error's sentence and code in `element`, whose first two children take them, or hides it
 * when there is none. The engine's sentences are English; a language may have its own for a code.
 */
export function showProblem(element, error) {
  const [message, code] = element.children;
  const own = error && known(keyOf(error));
  if (own) setMessage(message, keyOf(error));
  else setText(message, error?.message);
  // The engine's own sentence has the details.
  message.title = own && !error.key ? error.message : "";
  code.textContent = error?.code ?? "";
  element.hidden = !error;
}
