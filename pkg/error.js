/**
 * The one error type of the package.
 *
 * `code` is stable across releases and has the form `"area/problem"`, for example
 * `"image/truncated"`. `message` is a sentence for people and may change.
 */
export class PromptLensError extends Error {
  /**
   * @param {string} code stable code, `"area/problem"`
   * @param {string} message what went wrong and what to do
   */
  constructor(code, message) {
    super(message);
    this.name = "PromptLensError";
    /** @type {string} */
    this.code = code;
  }
}

/**
 * The plain `{code, message}` that crosses a worker boundary, made from anything thrown.
 *
 * @param {unknown} thrown
 * @returns {{code: string, message: string}}
 */
export function errorBody(thrown) {
  const { code, message } = /** @type {any} */ (thrown) ?? {};
  return {
    code: typeof code === "string" ? code : "engine/internal",
    message: typeof message === "string" && message !== "" ? message : String(thrown),
  };
}

/** @returns {PromptLensError} the error of a call that its `AbortSignal` ended */
export function cancelled() {
  return new PromptLensError("engine/cancelled", "The caller stopped this call.");
}

/**
 * @param {string} message
 * @returns {PromptLensError} the error of an argument that cannot be used
 */
export function invalid(message) {
  return new PromptLensError("options/invalid", message);
}
