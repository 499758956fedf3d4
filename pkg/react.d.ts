import type { CSSProperties, ForwardRefExoticComponent, ReactNode, RefAttributes } from "react";
import type { PromptLensElement, PromptLensEventMap } from "./element.js";

/** Attributes of `<prompt-lens>`, what listens to its events, and what any element takes. */
export interface PromptLensWidgetProps
  extends Partial<Pick<PromptLensElement, "src" | "model" | "tune" | "ood" | "heatmap" | "lang" | "device" | "camera" | "live">> {
  /** Class names. */
  labels?: readonly string[] | string;
  /** Sentence with `{}`, or several. @default "a photo of a {}." */
  template?: readonly string[] | string;
  onProgress?: (event: PromptLensEventMap["progress"]) => void;
  onReady?: (event: PromptLensEventMap["ready"]) => void;
  onResult?: (event: PromptLensEventMap["result"]) => void;
  onAnswer?: (event: PromptLensEventMap["answer"]) => void;
  onError?: (event: PromptLensEventMap["error"]) => void;
  className?: string;
  id?: string;
  style?: CSSProperties;
  children?: ReactNode;
}

/** `<prompt-lens>` as a component of React 18 and 19; its `ref` is the element. */
export const PromptLensWidget: ForwardRefExoticComponent<PromptLensWidgetProps & RefAttributes<PromptLensElement>>;
