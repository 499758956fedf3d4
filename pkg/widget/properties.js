/* The widget's attributes as properties. */
import { isText, list } from "./lists.js";

/** The package's own site has its model in a folder beside the package. */
const here = import.meta.url;
const DEFAULT_MODEL = "../../models/mini/";

export const ATTRIBUTES = ["src", "model", "labels", "template", "tune", "ood", "heatmap", "lang", "device", "camera", "live"];

// Without a document, as on a server that renders pages, the module can still be imported.
const Base = globalThis.HTMLElement ?? class {};

/** Frameworks take a property back by `null` or `undefined`. */
function set(element, name, value) {
  if (value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, value);
}

/** An element whose properties are its attributes. */
export class PropertyElement extends Base {
  /** The class names. */
  get labels() {
    return list(this.getAttribute("labels"), ",");
  }
  set labels(names) {
    set(this, "labels", isText(names) ? names : JSON.stringify([...names]));
  }

  /** The address of a classifier file; empty: there is none. */
  get src() {
    return this.getAttribute("src") ?? "";
  }
  set src(value) {
    set(this, "src", value);
  }

  get model() {
    return this.getAttribute("model") ?? new URL(DEFAULT_MODEL, here).href;
  }
  set model(value) {
    set(this, "model", value);
  }

  get template() {
    return this.getAttribute("template") ?? "a photo of a {}.";
  }
  set template(value) {
    set(this, "template", Array.isArray(value) ? JSON.stringify(value) : value);
  }

  get tune() {
    return this.getAttribute("tune") ?? "none";
  }
  set tune(value) {
    set(this, "tune", value);
  }

  get ood() {
    const value = this.getAttribute("ood");
    return value === "none" || value === "false" ? false : value || "mcm";
  }
  set ood(value) {
    set(this, "ood", value === false ? "none" : value);
  }

  get heatmap() {
    const value = this.getAttribute("heatmap");
    if (value === null || value === "false") return false;
    return value === "" || value === "true" ? true : value;
  }
  set heatmap(value) {
    set(this, "heatmap", value === true ? "" : value === false ? null : value);
  }

  get device() {
    return this.getAttribute("device") ?? "auto";
  }
  set device(value) {
    set(this, "device", value);
  }

  get camera() {
    return this.hasAttribute("camera");
  }
  set camera(value) {
    this.toggleAttribute("camera", Boolean(value));
  }

  get live() {
    return this.hasAttribute("live");
  }
  set live(value) {
    this.toggleAttribute("live", Boolean(value));
  }
}
