import type { ClassifyOptions, Device, Info, LiveAnswer, OodScore, ProgressEvent, PromptLens, PromptLensError, Result } from "./index.js";

/** The events of `<prompt-lens>`. All but `error` bubble and leave shadow trees. */
export interface PromptLensEventMap {
  /** While the model loads. */
  progress: CustomEvent<ProgressEvent>;
  /** The model answers from here on. */
  ready: CustomEvent<{ info: Info }>;
  /** An answer, with the photo it belongs to. */
  result: CustomEvent<Result & { blob: Blob }>;
  /** An answer for a frame of the camera, if the widget is `live`. */
  answer: CustomEvent<LiveAnswer>;
  /** Loading or a photo failed. */
  error: CustomEvent<PromptLensError>;
}

/**
 * `<prompt-lens>`: choose, drop, paste or take a photo, and see which names fit. Importing
 * `promptlens/element` registers it. Properties reflect the attributes of the same names.
 */
export class PromptLensElement extends HTMLElement {
  /**
   * Address of a classifier file, which has the names, the sentences, the learned prompt, the settings and the
   * model. The attributes `model`, `tune`, `ood`, `heatmap` and `device` go before it; `labels` and `template`
   * do not count beside it. @default ""
   */
  src: string;
  /** Address of a model folder. @default the `models/mini/` beside the package */
  model: string;
  /** Class names; as an attribute, or set as a text, `cat, dog` or a JSON array. */
  get labels(): string[];
  set labels(names: Iterable<string> | string | null | undefined);
  /** Sentence with `{}`; a JSON array holds several. @default "a photo of a {}." */
  get template(): string;
  set template(value: string | string[]);
  /** @default "none" */
  tune: "none" | "tpt" | "difftpt-lite";
  /** As an attribute `none` switches the score off. @default "mcm" */
  ood: OodScore | false;
  /** Whether the best name's place is drawn over the photo. @default false */
  heatmap: boolean | "patches" | "regions";
  /** BCP 47 tag; English and Chinese are there. @default the nearest `lang` on the page */
  lang: string;
  /** @default "auto" */
  device: Device;
  /** Whether there is a button for the camera. @default false */
  camera: boolean;
  /** Whether the camera is answered continuously while it is on; it has the button too. @default false */
  live: boolean;
  /** The last answer. */
  readonly result: Result | null;
  /** The loaded model of this widget. */
  readonly ready: Promise<PromptLens>;
  /** Shows a photo and its answer. `options` go before the attributes. */
  classify(blob: Blob, options?: ClassifyOptions): Promise<Result>;
  addEventListener<K extends keyof PromptLensEventMap>(
    type: K,
    listener: (this: PromptLensElement, event: PromptLensEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "prompt-lens": PromptLensElement;
  }
}
