import type { LoadOptions, PromptLens } from "./index.js";

/** The tasks of transformers.js that a CLIP answers. */
export type Task = "zero-shot-image-classification" | "image-feature-extraction";

/**
 * An image: an address of the page's own origin, a `blob:` or `data:` address, a file, an element or a canvas
 * of the page, or pixels of 1, 3 or 4 channels, rows from the top.
 */
export type ImageInput =
  | string
  | URL
  | Blob
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | ImageBitmap
  | ImageData
  | { data: Uint8Array | Uint8ClampedArray; width: number; height: number; channels: 1 | 3 | 4 };

/** What `progress_callback` is told, as by transformers.js; `file` is what is fetched: the engine, the configuration, the weights. */
export type ProgressInfo =
  | { status: "initiate" | "download" | "done"; name: string; file: string }
  | { status: "progress"; name: string; file: string; progress: number; loaded: number; total: number }
  | { status: "progress_total"; name: string; progress: number; loaded: number; total: number; files: Record<string, { loaded: number; total: number }> }
  | { status: "ready"; task: Task; model: string };

/** Options of transformers.js, and below them those of this package alone. Others are refused. */
export interface PipelineOptions extends Pick<LoadOptions, "hub" | "patience" | "signal" | "store" | "worker"> {
  /** `"wasm"` and `"cpu"` are the CPU, `"webgpu"` and `"gpu"` are WebGPU. @default "auto": WebGPU if it works */
  device?: "auto" | "gpu" | "webgpu" | "cpu" | "wasm" | null;
  /** @default "q8" for a model of the hub, as stored for one of your own folders */
  dtype?: "auto" | "fp32" | "fp16" | "q8" | "int8" | "uint8" | "q4" | "q4f16" | null;
  /** Of a repository. @default "main" */
  revision?: string | null;
  progress_callback?: ((event: ProgressInfo) => void) | null;
  /**
   * Who scales an image. `"canvas"` gives the answers of transformers.js in the same browser. `"pillow"` scales
   * as CLIP was trained, which photos much larger than the model's input gain from.
   * @default "canvas"
   */
  resize?: "canvas" | "pillow";
}

export interface Score {
  label: string;
  /** A fraction; the scores of one image sum to 1. */
  score: number;
}

export interface ZeroShotOptions {
  /** `{}` stands for the label. @default "This is a photo of {}" */
  hypothesis_template?: string;
  signal?: AbortSignal;
}

export interface FeatureOptions {
  /** `true` is refused: CLIP's image tower has no pooler. @default null */
  pool?: false | null;
  signal?: AbortSignal;
}

/** Features, row-major, not normalized. */
export interface Tensor {
  readonly type: "float32";
  /** `[images, d]`. */
  readonly dims: number[];
  readonly data: Float32Array;
  /** How many values there are. */
  readonly size: number;
  /** The values as an array of each image's. */
  tolist(): number[][];
}

interface Loaded {
  readonly task: Task;
  /** The engine, for everything else. */
  readonly lens: PromptLens;
  /** Ends the worker and releases its memory and its GPU buffers. */
  dispose(): Promise<void>;
}

export interface ZeroShotImageClassification extends Loaded {
  /** The scores of all labels, highest first; for an array of images an array of such lists. */
  <T extends ImageInput | ImageInput[]>(images: T, candidate_labels: string[], options?: ZeroShotOptions): Promise<T extends ImageInput[] ? Score[][] : Score[]>;
}

export interface ImageFeatureExtraction extends Loaded {
  (images: ImageInput | ImageInput[], options?: FeatureOptions): Promise<Tensor>;
}

/**
 * Loads a model, as in transformers.js 4. `model` is a repository of the hub, for which an ONNX copy's name
 * stands too, or the address of a model folder.
 */
export function pipeline(task: "zero-shot-image-classification", model?: string | null, options?: PipelineOptions): Promise<ZeroShotImageClassification>;
export function pipeline(task: "image-feature-extraction", model: string, options?: PipelineOptions): Promise<ImageFeatureExtraction>;
