/**
 * Shows an error's sentence and code in `element`, whose first two children take them, or hides it
 * when there is none.
 */
export function showProblem(element, error) {
  const [message, code] = element.children;
  message.textContent = error?.message ?? "";
  code.textContent = error?.code ?? "";
  element.hidden = !error;
}
