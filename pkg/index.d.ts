/** Where the model computes. `"auto"` takes WebGPU where it works and the CPU elsewhere. */
export type Device = "auto" | "webgpu" | "cpu";

/** How the weights are held: 8 bits, 4 bits, or as 32-bit floats. */
export type Quantization = "q8" | "q4" | "none";

/** One step of something long. */
export interface ProgressEvent {
  /** What is being done, for example `"engine"`, `"weights"` or `"self-test"`. */
  stage: string;
  /** Units done so far: bytes while something is loaded. */
  loaded: number;
  /** Units in all, or `null` where that is not known. */
  total: number | null;
  /** Where the bytes come from: `"cache"` only where no network was used for them. */
  source: "network" | "cache";
}

export interface CallOptions {
  /** Stops the call, which then rejects with code `engine/cancelled`. */
  signal?: AbortSignal;
}

export interface LoadOptions extends CallOptions {
  /** Address of a model folder (`config.json`, `tokenizer.json`, ...), relative to the page. */
  model: string | URL;
  /** @default "auto" */
  device?: Device;
  /** As stored when left out. */
  quantization?: Quantization;
  onProgress?: (event: ProgressEvent) => void;
}

export interface Info {
  /** Name of the model: the last part of its address. */
  model: string;
  /** SHA-256 of the source weights, in hexadecimal. */
  modelSha256: string;
  quantization: Quantization;
  device: {
    kind: "webgpu" | "cpu";
    vendor: string;
    architecture: string;
    /** Whether the adapter is a software one. */
    fallback: boolean;
    /** Why this device, as a clause: what `device` asked for, or what is missing for WebGPU. */
    reason: string;
  };
  /** The known-answer test made after loading; `null` where the model folder stores no answer. */
  selfTest: { passed: boolean; maxError: number } | null;
  /** GPU dispatches made so far. */
  gpuDispatches: number;
  /** Factor on the cosine of image and text before the softmax. */
  logitScale: number;
  /** Side of the square that the model looks at, in pixels. */
  imageSize: number;
  /** Length of a feature. */
  dimension: number;
  /** Version of promptlens. */
  version: string;
}

export interface ClassesOptions extends CallOptions {
  /**
   * Sentences with `{}` in place of the class name; their features are averaged.
   * @default ["a photo of a {}."]
   */
  templates?: string[];
}

export interface ClassifyOptions extends CallOptions {
  onProgress?: (event: ProgressEvent) => void;
}

export interface Prediction {
  label: string;
  /** A fraction; the probabilities of one result sum to 1. */
  probability: number;
}

export interface Result {
  /** Every class, highest probability first. */
  predictions: Prediction[];
  /** Milliseconds per step. */
  timings: { decode: number; preprocess: number; encode: number; tune: number; total: number };
}

/** An image file: JPEG, PNG, WebP, GIF (first frame) or BMP. */
export type ImageSource = Blob | ArrayBuffer | ArrayBufferView;

/** Every rejection of this package. */
export class PromptLensError extends Error {
  /** Stable, `"room/problem"`, for example `"image/truncated"`. */
  readonly code: string;
  constructor(code: string, message: string);
}

/** A loaded CLIP model in its own worker. */
export class PromptLens {
  private constructor();
  /** Starts a worker and loads a model into it. */
  static load(options: LoadOptions): Promise<PromptLens>;
  /** What was loaded and where it runs, as of the last finished call. */
  get info(): Info;
  /** Computes the text features of a class list once, for any number of images. */
  classes(labels: string[], options?: ClassesOptions): Promise<Classes>;
  /** The L2-normalised feature of an image file. */
  embedImage(image: ImageSource, options?: CallOptions): Promise<Float32Array>;
  /** The L2-normalised features of texts, taken as they are, without a template. */
  embedText(texts: string[], options?: CallOptions): Promise<Float32Array[]>;
  /** Ends the worker and releases its memory and its GPU buffers. Waiting calls are rejected. */
  free(): void;
}

/** A class list with its text features. */
export class Classes {
  private constructor();
  /** The class names, in the order they were given. */
  readonly labels: readonly string[];
  /** The probability of each class for one image file, highest first. */
  classify(image: ImageSource, options?: ClassifyOptions): Promise<Result>;
  /** Releases the text features, after the calls already made. */
  free(): void;
}
