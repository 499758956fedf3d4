/*
 * Registers `<prompt-lens>`. Importing this module is all it takes; `./widget/element.js` has the
 * class without the registration, for a page that wants another name.
 */
import { PromptLensElement, register } from "./widget/element.js";

register();

export { PromptLensElement };
