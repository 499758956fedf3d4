import type { DefineComponent } from "vue";
import type { PromptLensElement, PromptLensEventMap } from "./element.js";

/** Attributes of `<prompt-lens>`. */
export interface PromptLensWidgetProps
  extends Partial<Pick<PromptLensElement, "src" | "model" | "tune" | "ood" | "heatmap" | "lang" | "device" | "camera" | "live">> {
  /** Class names. */
  labels?: readonly string[] | string;
  /** Sentence with `{}`, or several. @default "a photo of a {}." */
  template?: readonly string[] | string;
}

/** What the component emits, and with what. */
export type PromptLensWidgetEmits = {
  [K in keyof PromptLensEventMap]: (event: PromptLensEventMap[K]) => void;
};

/** `<prompt-lens>` as a component of Vue 3; a template ref to it has the element as `element`. */
export const PromptLensWidget: DefineComponent<
  PromptLensWidgetProps,
  { element: PromptLensElement | null },
  {},
  {},
  {},
  {},
  {},
  PromptLensWidgetEmits
>;
