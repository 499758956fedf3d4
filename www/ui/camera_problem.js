import { t } from "./i18n.js";

/** Why there is no picture, by the name of the browser's error, whose own sentence is in its own language. */
const REASONS = { NotAllowedError: "camera.denied", NotFoundError: "camera.missing", NotReadableError: "camera.busy" };

/** What to say of the browser's error about a camera. @param {Error} cause */
export const cameraProblem = (cause) => t("camera.failed", { reason: REASONS[cause.name] ? t(REASONS[cause.name]) : cause.message });
