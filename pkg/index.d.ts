/**
 * Where the model computes. `"auto"` takes WebGPU if it works, else the CPU, also if the only adapter is
 * a software one; `info.device.reason` says why. `"webgpu"` rejects with `gpu/unavailable` if there is no
 * adapter.
 */
export type Device = "auto" | "webgpu" | "cpu";

/**
 * How the weights are held: 8 bits, 4 bits, 4 bits if that costs little and else 8, or as floats
 * (`"f16"` keeps 16 bits of each and computes with 32).
 */
export type Quantization = "q8" | "q4" | "mixed" | "f16" | "none";

/** Progress of a long call. */
export interface ProgressEvent {
  /**
   * What is being done: `"engine"`, `"waiting"` (another tab loads the same model),
   * `"limited"` (the server asks to wait for `secondsLeft`, as it counts requests),
   * `"configuration"`, `"weights"`, `"store"` (the model can no longer be kept; `reason` says why),
   * `"self-test"` while loading;
   * `"encode"`, `"views"`, `"tune"` for an image; `"vocabulary"`, `"mining"`, `"negatives"` for
   * negative labels; `"calibrate"`; `"regions"` for a heat map; `"photos"`, `"texts"`, `"search"`,
   * `"train"`, `"validate"` while a prompt is learned.
   */
  stage: string;
  /** Units done so far: bytes while something is loaded. */
  loaded: number;
  /** Units in all, or `null` if that is not known. */
  total: number | null;
  /** Where the bytes come from: `"cache"` only if no network was used for them. */
  source: "network" | "cache";
  /** Of a download: its speed, `null` until it is known. */
  bytesPerSecond?: number | null;
  /** Of a download: seconds left at that speed. */
  secondsLeft?: number | null;
  reason?: StoreReason;
  /** The loss of the step just done; in stage `"train"` only. */
  loss?: number;
  /** The fraction of that step's images whose answer was right; in stage `"train"` only. */
  accuracy?: number;
}

/** Why a model is not stored: no room, the browser failed or stores nothing, switched off, or local files. */
export type StoreReason = "quota" | "failed" | "unavailable" | "off" | "local";

export interface CallOptions {
  /** Stops the call, which then rejects with code `engine/cancelled`. */
  signal?: AbortSignal;
}

export interface LoadOptions extends CallOptions {
  /**
   * Address of a model folder, relative to the page; `"hf:owner/name"`, `"hf:owner/name/folder"`,
   * `"hf:owner/name@revision"` or the address of the hub's page for a repository of the hub; an
   * entry of {@link Models.table}; the handle of a folder; or the files of one. The model may be
   * Hugging Face's or OpenCLIP's (safetensors, or a state dictionary of PyTorch 1.6 and later), or a
   * pack. `"owner/name"` alone may be a repository or a folder, and is refused.
   */
  model: string | URL | ModelEntry | FileSystemDirectoryHandle | Iterable<File>;
  /** @default "auto" */
  device?: Device;
  /** As stored when left out. */
  quantization?: Quantization;
  /** Whether a model from the network is stored in this browser, packed. @default true */
  store?: boolean;
  /** Address of the hub. @default "https://huggingface.co" */
  hub?: string;
  /** How long a download tries. */
  patience?: {
    /** Attempts in a row without progress before giving up. @default 5 */
    retries?: number;
    /** Milliseconds before the first of them, doubled each time up to 15 seconds. @default 500 */
    delay?: number;
    /** Milliseconds without a byte that count as a cut. @default 30000 */
    stall?: number;
    /** Milliseconds to wait in all for a server that asks for it (429). @default 300000 */
    wait?: number;
  };
  /**
   * A worker that runs `promptlens/worker`, for a page that has it inlined; it belongs to this
   * `PromptLens` from then on. Left out: one is started from the package's own file.
   */
  worker?: Worker;
  onProgress?: (event: ProgressEvent) => void;
}

/** A model known by name. */
export interface ModelEntry {
  readonly id: string;
  readonly name: string;
  /** The repository that the model is known by: `hf:` and this name loads this entry. */
  readonly repository: string;
  /** License of the weights at the first source. */
  readonly licence: string;
  /** Number of weights. */
  readonly parameters: number;
  /** Whether a phone has the memory for it. */
  readonly phone: boolean;
  /**
   * Repositories of the hub that have these weights, tried in turn. `licence` is what each states;
   * OpenAI's state none, so it is that of OpenAI's code.
   */
  readonly sources: readonly { readonly repository: string; readonly file: string; readonly licence: string }[];
  /** The part of a Hugging Face `config.json` that the artifact must agree with. */
  readonly shapes: object;
}

/** A model that this browser stores, or an unfinished download of one. */
export interface StoredModel {
  id: string;
  complete: boolean;
  /** Bytes that it takes in the browser. */
  bytes: number;
  /** What it was loaded from. This and all that follows is `null` for an unfinished download. */
  address: string | null;
  name: string | null;
  quantization: Quantization | null;
  /** The weights it was made from; `commit` and `repository` if it came from the hub. */
  source: {
    sha256: string;
    bytes: number;
    address: string;
    file: string | null;
    repository: string | null;
    commit: string | null;
  } | null;
  /** ISO 8601. */
  created: string | null;
}

export interface Models {
  readonly table: readonly ModelEntry[];
  stored(): Promise<StoredModel[]>;
  /** The files of one that is complete, by its `id`, as a server would have them in one folder. */
  files(id: string): Promise<{ name: string; blob: Blob }[]>;
  /**
   * Deletes one, by its `id`. The hub's commit and hash stay pinned for a later download unless
   * `forget` is set. Rejects with `store/busy` while a tab loads it.
   */
  delete(id: string, options?: { forget?: boolean }): Promise<void>;
  /**
   * The address of what a person typed for a model: `hf:owner/name` for a repository of the hub in
   * any of its forms, `owner/name` among them, or that of a folder. Throws `options/invalid` if it
   * names neither.
   */
  address(text: string): string;
  /** Space in the browser, in bytes. `kind` is `null` if the browser stores nothing for this page. */
  usage(): Promise<{ kind: "opfs" | "cache" | null; used: number | null; quota: number | null; persisted: boolean }>;
  /** Asks the browser not to evict what is stored when space runs low. */
  persist(): Promise<boolean>;
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
  /** The known-answer test made after loading; `null` if the model folder stores no answer. */
  selfTest: { passed: boolean; maxError: number } | null;
  /** GPU dispatches made so far. */
  gpuDispatches: number;
  /** Factor on the cosine of image and text before the softmax. */
  logitScale: number;
  /** Side of the square that the model looks at, in pixels. */
  imageSize: number;
  /** Length of a feature. */
  dimension: number;
  /** Number of weights. */
  parameters: number;
  /** Whether the model is stored in this browser, and why not. */
  store: { kept: boolean; reason: StoreReason | null };
  /** Milliseconds of loading: waiting for bytes, SHA-256, quantizing, moving to the device, packing and storing. */
  loadTimes: {
    source: number;
    hash: number;
    quantise: number;
    upload: number;
    keep: number;
    selfTest: number;
    total: number;
  };
  /** WebAssembly memory, which never shrinks. */
  heapBytes: { afterLoad: number; now: number };
  /** Version of promptlens. */
  version: string;
}

export interface ClassesOptions extends CallOptions {
  /**
   * Sentences with `{}` in place of the class name; their features are averaged.
   * @default ["a photo of a {}."]
   */
  templates?: string[];
  /** A learned prompt, which answers in place of the templates. */
  prompt?: Prompt;
  /**
   * Divides the logits of every answer, 0.05 to 20: above 1 for percentages that say too much.
   * {@link Classes.assess} finds it. Neither the order of the classes nor any score changes.
   * @default 1
   */
  temperature?: number;
}

/** What a classifier file holds (docs/reference/classifier-format.md). */
export interface ClassifierSettings {
  labels: string[];
  templates: string[];
  /** A learned prompt, which answers in place of the templates. */
  prompt: Prompt | null;
  /** {@link ClassesOptions.temperature}; 1: the model's own percentages. */
  temperature: number;
  rejection: RejectionSettings;
  /** The options of {@link Classes.classify} about tuning. */
  tuning: Pick<ClassifyOptions, "tune" | "views" | "steps" | "seed" | "rho" | "augmix">;
  model: {
    /** `hf:owner/name`, or the address of a folder: absolute, or relative to the file's own; `null`: it has none. */
    address: string | null;
    name: string;
    quantization: Quantization | null;
    /** SHA-256 of its source weights. */
    sha256: string | null;
  };
}

/** Which photos a classifier calls none of its classes. */
export interface RejectionSettings {
  /** `null`: no score. */
  score: OodScore | null;
  /** A threshold that a person has set. It goes before the calibrated one. */
  threshold: { score: OodScore; value: number } | null;
  calibration: Calibration | null;
  /** Negative labels: `own` in place of the mined ones, or words struck from those and added to them. */
  negatives: { own: string[] | null; struck: string[]; added: string[] };
}

/** Options of {@link PromptLens.open}: those of {@link PromptLens.load}, the model left to the file. */
export interface OpenOptions extends Omit<LoadOptions, "model"> {
  /** The model, in place of the address in the file. It must still be the one that the file names by its hash. */
  model?: LoadOptions["model"];
  /**
   * Whether a model with another hash will do. Thresholds are then left out. Nothing can replace the model
   * of a learned prompt. @default false
   */
  anyModel?: boolean;
}

/** Options of {@link Classes.toClassifier}. */
export interface SaveOptions {
  rejection?: Partial<RejectionSettings>;
  tuning?: ClassifierSettings["tuning"];
  /** The address of the model that the file names. @default the one that it was loaded from */
  address?: string | null;
}

/** A way of learning a prompt. */
export interface Recipe {
  name: string;
  paper: string;
  /** One line on what it does. */
  summary: string;
  /** What it was written from: the authors' code, the text beside it, or the abstract, of which the rest is our reading. */
  evidence: "code" | "readme" | "abstract";
  /** What is learned, and how many numbers that is. */
  learns: string;
  /** What it costs: steps through the text tower, arithmetic on features, or nothing to train. */
  kind: "text" | "features" | "hard";
  needs: "nothing" | "images" | "unlabelled" | "descriptions";
  /** The fewest classes that it tells apart. */
  leastClasses: number;
  /** The most classes, or `null` without a limit. */
  mostClasses: number | null;
  /** Whether its prompt serves class names that it was not trained on. */
  transfers: boolean;
  /** Whether it can go on from a prompt ({@link TrainOptions.start}). */
  continues: boolean;
  /** Whether it learns what is none of the classes. */
  others: boolean;
  /** A `default` of `auto` leaves the choice to the recipe. */
  parameters: { name: string; default: string; meaning: string }[];
}

/** How a prompt is learned. Any other key is a parameter of the recipe, for example `epochs: 20`. */
export interface TrainOptions extends CallOptions {
  /** @default "coop" */
  recipe?: string;
  /** Decides every random number. @default 0 */
  seed?: number;
  /** Views of every photo, the plain one among them. @default 8, or 1 if nothing is trained */
  crops?: number;
  /**
   * How its accuracy is measured: on every fourth photo of a class, or on each photo in turn (in five
   * parts if every round takes long), always by prompts that were not trained on them.
   * @default "none"
   */
  validation?: "none" | "held-out" | "leave-one-out";
  /**
   * Sentences about the classes, for recipes that read them. `fudd` reads texts about pairs of classes,
   * which are names or places in the list; the order of the texts is that of the classes.
   */
  descriptions?: Record<string, string[] | { classes: [string | number, string | number]; prompt_pairs: { prompt_pair: [string, string] }[] }>;
  /**
   * A prompt to go on from, for recipes that `continue`: the context to start with, or the classes that it
   * knows already.
   */
  start?: Prompt;
  /** Words for none of the classes, for recipes that learn that; mined when left out. */
  negatives?: string[];
  /** Photos of none of the classes, for the same recipes. */
  others?: Iterable<ImageSource>;
  /** Photos without labels: for recipes whose `needs` is `unlabelled`, of which fewer than ten change nothing, and for `clip-lit`, those between its two states. */
  unlabelled?: Iterable<ImageSource>;
  /** Called for every photo that is encoded, and for every step. */
  onProgress?: (event: ProgressEvent) => void;
  [parameter: string]: unknown;
}

/** How a prompt was learned. */
export interface TrainingReport {
  recipe: string;
  trainedParameters: number;
  /** The loss of every step. */
  losses: number[];
  notes: { name: string; value: number }[];
  /** Photos that it was trained on. */
  images: number;
  /** Seconds that the recipe took, without encoding the photos. */
  seconds: number;
  /** Of the default template; `null` if nothing was measured. */
  accuracyBefore: number | null;
  accuracyAfter: number | null;
  measuredOn: string | null;
  /** Photos that the accuracies were measured on. */
  measured: number;
  /** Photos that could not be used, by their place among the examples. */
  failures: { index: number; code: string; message: string }[];
}

/** A learned prompt: a small file that belongs to one model. */
export class Prompt {
  private constructor();
  /** Reads a prompt file. */
  static from(file: ImageSource): Promise<Prompt>;
  /** The file, as the command line's `--prompt` reads it. */
  toBlob(): Blob;
  readonly recipe: string;
  /** The class names it was trained on. */
  readonly labels: readonly string[];
  /** SHA-256 of its model's source weights. */
  readonly modelSha256: string;
  readonly createdBy: string;
  /** How it was learned; `null` for one that was read from a file. */
  readonly report: TrainingReport | null;
}

/** A score for "none of these"; higher always means that the image is more likely one of the classes. */
export type OodScore = "mcm" | "max-logit" | "energy" | "entropy" | "variance" | "gl-mcm" | "neglabel" | "lapt";

export interface ClassifyOptions extends CallOptions {
  /**
   * Test-time tuning of the prompt on the image itself. `"tpt"`: random crops, one step.
   * `"difftpt-lite"`: the filters and steps of DiffTPT over stronger changes of the image, without
   * its diffusion model; with `variants`, over those.
   * @default "none"
   */
  tune?: "none" | "tpt" | "difftpt-lite";
  /** Views in all, the image itself among them. @default 64 */
  views?: number;
  /** Gradient steps, 1 to 100; when left out 1 for `"tpt"` and 4 for `"difftpt-lite"`. */
  steps?: number;
  /** Decides every random view; a whole number from 0. @default 0 */
  seed?: number;
  /**
   * Share of the views that is kept, the surest, above 0 and at most 1; when left out 0.1 for
   * `"tpt"` (0.25 below 32 views) and 0.3 for `"difftpt-lite"`.
   */
  rho?: number;
  /** Whether the crops of `"tpt"` are AugMixed, as in its paper on fine-grained classes. @default false */
  augmix?: boolean;
  /**
   * Pictures that you made from this very image, with an image generator for example. `"difftpt-lite"`
   * takes them instead of its strong views, each as one view on top of `views`, as DiffTPT takes those
   * of its diffusion model. One that cannot be read is told in `tuning.variantFailures`.
   */
  variants?: Iterable<ImageSource>;
  /**
   * Other photos of yours: some of the strong views of `"difftpt-lite"` take over their colors and
   * their coarse light.
   */
  gallery?: Iterable<ImageSource>;
  /** `false` switches the score off. @default "mcm" */
  ood?: OodScore | false;
  /** Temperature on cosines; the score's own for this model when left out. */
  tau?: number;
  /** Groups of negative labels. @default 100 */
  groups?: number;
  /** Weight of GL-MCM's local term. @default 0.5 */
  localWeight?: number;
  /** Exactly these negative labels instead of the mined ones. */
  negatives?: string[];
  /**
   * Where the names are. `"patches"`, or `true`: from the local features of the last block, at next
   * to no cost. `"regions"`: from 25 windows, each classified by itself.
   * @default false
   */
  heatmap?: boolean | "patches" | "regions";
  onProgress?: (event: ProgressEvent) => void;
}

export interface ClassifyAllOptions extends Omit<ClassifyOptions, "variants" | "gallery" | "onProgress"> {
  /**
   * How many workers decode photos, beside the engine's own; 1 to 64.
   * @default as many as there are cores, at most 4
   */
  concurrency?: number;
  /** Whether answers come in the order of the photos, or as soon as they are there. @default "input" */
  order?: "input" | "completion";
  /** Progress of one photo; only if photos are tuned or have heat maps, one after the other. */
  onProgress?: (event: ProgressEvent & { index: number }) => void;
}

/** How a video is answered. `signal` ends the loop with `engine/cancelled`; leaving the loop ends it too. */
export interface LiveOptions extends Omit<ClassifyOptions, "onProgress"> {
  /**
   * Milliseconds after which an answer counts half as much in the smoothed probabilities and in the smoothed
   * score; 0 smooths nothing.
   * @default 500
   */
  halfLife?: number;
}

/** The answer for a frame of a video, smoothed over the frames before. */
export interface LiveAnswer extends Result {
  /** Every class, highest smoothed probability first. */
  predictions: Prediction[];
  /** With the smoothed score, and the verdict for it; `null` if that was switched off. */
  ood: Ood | null;
  /** The frame as a JPEG file, at most 480 pixels high or wide, whichever is less. */
  frame: Blob;
  /** How many frames are answered per second, smoothed; `null` with the first. */
  framesPerSecond: number | null;
  /** The answer for this frame alone. */
  unsmoothed: { predictions: Prediction[]; ood: Ood | null };
}

export interface CalibrateOptions extends ClassifyOptions {
  /** How many workers decode photos, as for {@link Classes.classifyAll}; none if left out. */
  concurrency?: number;
}

/** How labelled photos are answered. */
export interface AssessOptions extends Omit<ClassifyOptions, "ood" | "heatmap"> {}

/** Whether probabilities say how often answers are right. */
export interface Reliability {
  /** Expected calibration error, 0 to 1: how far the confidence of a bin is from its accuracy, in the mean. */
  ece: number;
  /** Mean negative log-likelihood of the true class in nats. */
  nll: number;
  /** Mean probability of the class that was answered. */
  confidence: number;
  /** The reliability diagram: 15 bins of equal width; `confidence` and `accuracy` are 0 without photos. */
  bins: { from: number; count: number; confidence: number; accuracy: number }[];
}

/** How good answers on labelled photos are. */
export interface Assessment {
  /** Photos measured. */
  n: number;
  accuracy: number;
  /** Photos of each true class (rows) by the class answered (columns), both in the order of the names. */
  confusion: number[][];
  reliability: Reliability;
  /** The temperature with the largest likelihood (Guo et al., 2017); 1 for fewer than ten photos. */
  temperature: number;
  /**
   * What that temperature changes on photos that it was not fitted to, each fifth at the temperature of the
   * others; `null` for fewer than ten photos.
   */
  atTemperature: Reliability | null;
  /** Photos that could not be read. */
  failures: { index: number; code: string; message: string }[];
}

/** What {@link Classes.classifyAll} says of one photo: its `result`, or the `error` why it has none. */
export type PhotoAnswer<T = ImageSource> = { index: number; image: T } & (
  | { result: Result; error?: undefined }
  | { result?: undefined; error: PromptLensError }
);

/** Whether an image is any of the classes. */
export interface Ood {
  score: OodScore;
  /** Higher means more in-distribution. */
  value: number;
  /** Accepted at or above; `null` until calibrated for these options. */
  threshold: number | null;
  /** `null` until calibrated for these options. */
  isOutlier: boolean | null;
  /** The negative labels most similar to the image; empty if the score reads none. */
  nearestNegatives: string[];
  /** Why a threshold that was calibrated does not hold for these options. */
  stale: string | null;
}

/** A fitted threshold. */
export interface Calibration {
  score: OodScore;
  threshold: number;
  /** Images scored. */
  n: number;
  /** Rank of the threshold among the ascending scores, from 1. */
  m: number;
  /** 95 % interval of the true share of such images that the threshold rejects. */
  interval: { low: number; high: number };
  /** The score of every image that could be scored, in the order given. */
  scores: number[];
  /** Images that could not be scored. */
  failures: { index: number; code: string; message: string }[];
  /** Text that {@link Classes.useCalibration} takes. */
  file: string;
}

export interface NegativesOptions extends CallOptions {
  /** Share of the vocabulary that is used. @default 0.15 */
  share?: number;
  /** Words never to use. */
  struck?: string[];
  /** Words to use whatever their similarity. */
  added?: string[];
  onProgress?: (event: ProgressEvent) => void;
}

export interface PseudoLabelOptions extends CallOptions {
  /** The most photos kept of each class. @default 36 */
  perClass?: number;
  /** Words for none of the classes; the negative labels of the class list if left out. */
  negatives?: string[];
  onProgress?: (event: ProgressEvent) => void;
}

/** The labels of photos that nobody labeled. */
export interface PseudoLabels {
  /** Photos that probably show a class: more likely than 1 in as many as there are classes, among all names and words. */
  examples: { image: Blob; label: string }[];
  /** Photos that probably show none. */
  others: Blob[];
  /** Photos of classes that have enough. */
  surplus: Blob[];
  /** Files that are no usable photo, by their place. */
  failures: { index: number; code: string; message: string }[];
}

/** The former name of {@link PseudoLabelOptions}. */
export type CollectOptions = PseudoLabelOptions;

/** The former name of {@link PseudoLabels}. */
export type Collected = PseudoLabels;

/** A file of an archive, or why it cannot be read. `label` is the class folder that it lies in. */
export type Unpacked =
  | { path: string; label: string | null; file: File; error?: undefined }
  | { path: string; label: string | null; file?: undefined; error: PromptLensError };

/** The class names of a file. */
export interface LabelList {
  /** The names in order, the first of each that are the same to the model. */
  labels: string[];
  /** Names that are the same to the model: each group as the file has them. */
  repeated: string[][];
}

/** Negative labels: words for what a photo may show instead of the classes. */
export interface Negatives {
  labels: string[];
  /** Words left out, and why. */
  excluded: {
    word: string;
    because: {
      reason: "same-name" | "part-of-name" | "compound" | "synonym" | "struck" | "duplicate" | "empty";
      class?: string;
    };
  }[];
}

/** A view that steered the prompt. */
export interface KeptView {
  /** Its number; 0 is the image itself. */
  index: number;
  /** How it was made: `"plain"`, `"crop"`, `"augmix"`, `"variant"`, or the name of a strong change. */
  kind: string;
  /** Entropy in nats of its answer before tuning. */
  entropy: number;
  /** Side of the square thumbnail, in pixels. */
  size: number;
  /** `size * size` RGB pixels, rows from the top. */
  thumbnail: Uint8Array;
}

/** What test-time tuning did. */
export interface Tuning {
  /** Views made, the image itself and variants among them. */
  views: number;
  /** Variants among the views; they come last. */
  variants: number;
  /** Variants that could not be used, by their place in the list given. */
  variantFailures: { index: number; code: string; message: string }[];
  /** Views that steered the prompt. */
  kept: number;
  /** True if tuning produced NaN or infinity; the answer is then the one without tuning. */
  guarded: boolean;
  /** Entropy in nats of the mean answer for the kept views, before the first step. */
  entropyBefore: number;
  /** The same after the last step. */
  entropyAfter: number;
  /**
   * The words that tuning put in front of the class names because no template has any there; else
   * `null`.
   */
  startedFrom: string | null;
  /**
   * The answer without tuning, highest probability first; with the words of `startedFrom`, if there
   * are any.
   */
  predictionsBefore: Prediction[];
  /** The kept views, surest first. */
  keptViews: KeptView[];
}

export interface TuneFeaturesOptions extends CallOptions {
  /** @default "tpt" */
  tune?: "tpt" | "difftpt-lite";
  /** As in {@link ClassifyOptions}. */
  steps?: number;
  /** As in {@link ClassifyOptions}. */
  rho?: number;
  /**
   * Vectors to start from, one after the other, each as wide as the text tower, for several templates
   * those of one after the other; the words in front of the class names when left out.
   */
  context?: ArrayLike<number>;
  onProgress?: (event: ProgressEvent) => void;
}

/** What tuning on given features did. Entropies are in nats. */
export interface TunedFeatures {
  /** The answer for the first feature with the tuned prompt, highest probability first. */
  predictions: Prediction[];
  /** The same before the first step. */
  predictionsBefore: Prediction[];
  /** Views that steered the prompt, surest first. */
  selected: number[];
  /** Views that passed the cosine filter, the first feature first; all if there is none. */
  passed: number[];
  /** Entropy of the answer for every view, before the first step. */
  entropies: number[];
  /** Marginal entropy of the selected views before every step and after the last. */
  losses: number[];
  /** Logits of the first feature with the tuned prompt, in the order of the class names. */
  logits: number[];
  /** The same before the first step. */
  logitsBefore: number[];
  /** The context before the first step and after every one. */
  contexts: Float32Array[];
  /** Gradient of the marginal entropy with respect to the context, at every step. */
  gradients: Float32Array[];
  /** True if tuning produced NaN or infinity; the answer is then the one without tuning. */
  guarded: boolean;
}

export interface Prediction {
  label: string;
  /** A fraction; the probabilities of one result sum to 1. */
  probability: number;
}

/** How the names share each place of the square in the middle, which is what the model looks at. */
export interface Heatmap {
  method: "patches" | "regions";
  /** Places in a row. */
  width: number;
  /** Rows. */
  height: number;
  /** The most probable class. */
  label: string;
  /** Its share of every place, 0 to 1, rows from the top. The shares of all classes sum to 1. */
  values: number[];
  /** The same for the 20 most probable classes, in the order of `predictions`. */
  maps: { label: string; values: number[] }[];
}

export interface Result {
  /** Every class, highest probability first. */
  predictions: Prediction[];
  /** Whether it is any of the classes; `null` if that was switched off. */
  ood: Ood | null;
  /** `null` without tuning. */
  tuning: Tuning | null;
  /** `null` if none was asked for. */
  heatmap: Heatmap | null;
  /**
   * How much the photo shows of what the classes measure, in the units of their names if these are numbers, else
   * by their place in the list from 1; only with a prompt of the recipe `ranking`.
   */
  score?: number;
  /**
   * By how much both sides were divided while the photo was decoded: a JPEG beyond 50 megapixels, an AVIF or
   * HEIC beyond 22; left out for others.
   */
  reducedBy?: number;
  /** `"browser"` for AVIF and HEIC, which the browser decodes and not this package: other browsers may differ by a little. */
  decodedBy?: "browser";
  /** Milliseconds per step. */
  timings: { decode: number; preprocess: number; encode: number; tune: number; total: number };
}

/**
 * An image file: JPEG, PNG, WebP, GIF (first frame) or BMP; AVIF and HEIC if the browser decodes them
 * (AVIF everywhere, HEIC in Safari).
 */
export type ImageSource = Blob | ArrayBuffer | ArrayBufferView;

/** Every rejection of this package. */
export class PromptLensError extends Error {
  /** Stable, `"area/problem"`, for example `"image/truncated"`. */
  readonly code: string;
  constructor(code: string, message: string);
}

/** Options of {@link PromptLens.checkKernels}. */
export interface CheckOptions extends CallOptions {
  /** Only this kernel; all when left out. */
  kernel?: "linear" | "layer_norm" | "attention" | "activation" | "depthwise" | "mean_rows" | "photo";
  /** Of the shapes that are drawn at random, from 0 to 2^32 - 1; 17 when left out. Their names tell it. */
  seed?: number;
  onProgress?: (progress: ProgressEvent) => void;
}

/** One kernel on one shape, beside the CPU. */
export interface KernelCheck {
  /** The shader, the shape and what is fused. */
  name: string;
  /** How the work was divided; every case runs in both ways. */
  tiling: "registers" | "workgroup";
  /** max|difference| / max|reference|; `null` if the values were not finite. */
  error: number | null;
  /** Largest error that is allowed. */
  limit: number;
  passed: boolean;
}

/** Options of {@link PromptLens.embedImage}. */
export interface EmbedImageOptions extends CallOptions {
  /** `false` leaves the feature as the image tower gives it. @default true */
  normalize?: boolean;
}

/** How a model prepares an image: it is scaled, then its middle is cut out, then bytes become values. */
export interface Preprocessing {
  /** What is scaled to what, in pixels; `"square"` refuses images that are not square. */
  resize: { to: "nothing" } | { to: "shorter-side" | "square"; side: number } | { to: "size"; width: number; height: number };
  /** Columns of the model's input, and so of the part that is cut out. */
  width: number;
  /** Rows of it. */
  height: number;
  /** What each byte is multiplied by. */
  rescale: number;
  /** Then subtracted, by channel: red, green, blue. */
  mean: [number, number, number];
  /** Then divided by. */
  std: [number, number, number];
}

/** A loaded CLIP model in its own worker. */
export class PromptLens {
  private constructor();
  /** The models known by name, and those that this browser keeps. */
  static readonly models: Models;
  /** Starts a worker and loads a model into it. */
  static load(options: LoadOptions): Promise<PromptLens>;
  /**
   * Opens a classifier file, such as the page saves: reads it, loads the model that it names, and makes its
   * class list. Rejects with `prompt/wrong-model` if the model has another hash than the file says.
   *
   * ```js
   * const cats = await PromptLens.open("cats.promptlens");
   * const { predictions, ood } = await cats.classify(photo);
   * ```
   */
  static open(source: ImageSource | string | URL, options?: OpenOptions): Promise<Classifier>;
  /** What was loaded and where it runs, as of the last finished call. */
  get info(): Info;
  /** Computes the text features of a class list once, for any number of images. */
  classes(labels: string[], options?: ClassesOptions): Promise<Classes>;
  /** What {@link Classes.train} can do. */
  recipes(): Promise<Recipe[]>;
  /** The feature of an image file, L2-normalized unless `normalize` is `false`. */
  embedImage(image: ImageSource, options?: EmbedImageOptions): Promise<Float32Array>;
  /** How the model prepares an image, for {@link PromptLens.embedPixels}. */
  preprocessing(): Promise<Preprocessing>;
  /**
   * The features, as the image tower gives them, of images that are prepared already: B images [3, S, S]
   * one after the other, with S = `info.imageSize`.
   */
  embedPixels(pixels: Float32Array, options?: CallOptions): Promise<Float32Array[]>;
  /** The L2-normalized features of texts, taken as they are, without a template. */
  embedText(texts: string[], options?: CallOptions): Promise<Float32Array[]>;
  /**
   * Those of `names` that hold a word which the model never read in training: answers for them are
   * guesses. None if the model does not say which words it has read.
   */
  unknownNames(names: string[]): Promise<string[]>;
  /** The files of a tar, gzipped or not, or of a zip. */
  unpack(archive: ImageSource): Promise<Unpacked[]>;
  /**
   * The class of each file of a folder, told by its path with `/` between folders: the folder that it lies in,
   * or the one a level higher for files that lie deeper than most; `null` for those in none.
   */
  classFolders(paths: string[]): Promise<(string | null)[]>;
  /**
   * The class names in a text, CSV or JSON file, or in a text as people type it (names between commas, tabs and
   * line ends, those with commas in double quotes), read as the command line reads its `--labels`.
   */
  parseLabels(file: Blob | string): Promise<LabelList>;
  /** Compares every GPU kernel with the same operation on the CPU, on this very adapter. */
  checkKernels(options?: CheckOptions): Promise<KernelCheck[]>;
  /** Ends the worker and releases its memory and its GPU buffers. Waiting calls are rejected. */
  free(): void;
}

/** Options of {@link Classes.confusedPairs}. */
export interface ConfusedPairsOptions {
  /** Of how many most likely classes of a photo each two are a pair, 1 to 1000. Default: 3. */
  top?: number;
  /** The most pairs, from the most frequent, 1 to 1000. Default: 50. */
  limit?: number;
  /** Empty places for pairs of texts in the file, for each pair of classes, 1 to 1000. Default: 5. */
  texts?: number;
}

/** What {@link Classes.confusedPairs} found. */
export interface ConfusedPairs {
  /** Two classes, and for how many photos both were likely; the most frequent first. */
  pairs: { classes: [string, string]; images: number }[];
  /** The file to fill: JSON. */
  toBlob(): Blob;
}

/** A class list with its text features. */
export class Classes {
  private constructor();
  /** The class names, in the order they were given. */
  readonly labels: readonly string[];
  /** The probability of each class for one image file, highest first. */
  classify(image: ImageSource, options?: ClassifyOptions): Promise<Result>;
  /**
   * Answers many photos, decoded in workers of their own, whose code is asked of the package's folder when they start. Leaving the loop, or `signal`, stops the work.
   * A photo that cannot be used stops no other; what ends the engine ends the loop with its error.
   *
   * ```js
   * for await (const { image, result, error } of classes.classifyAll(files)) {
   *   console.log(image.name, error?.message ?? result.predictions[0].label);
   * }
   * ```
   */
  classifyAll<T extends ImageSource>(images: Iterable<T> | AsyncIterable<T>, options?: ClassifyAllOptions): AsyncGenerator<PhotoAnswer<T>>;
  /**
   * Answers what a video shows, such as a camera's picture, until it is over or you leave the loop. One frame
   * is answered at a time, always the newest; those that came meanwhile are dropped. No frame is answered while
   * the page is hidden. Switch the camera off yourself.
   *
   * ```js
   * for await (const { predictions, framesPerSecond } of classes.live(video)) {
   *   console.log(predictions[0].label, framesPerSecond);
   * }
   * ```
   */
  live(video: HTMLVideoElement, options?: LiveOptions): AsyncGenerator<LiveAnswer>;
  /**
   * Test-time tuning on views that you made yourself, such as frames of a video: features from
   * {@link PromptLens.embedImage}, the first of which is the one to answer for.
   */
  tuneFeatures(features: Iterable<ArrayLike<number>>, options?: TuneFeaturesOptions): Promise<TunedFeatures>;
  /**
   * Fits the threshold that accepts 95 % of images like these (at least 19). Later answers with the
   * same options use it.
   */
  calibrate(images: Iterable<ImageSource>, options?: CalibrateOptions): Promise<Calibration>;
  /**
   * How good answers on labelled photos are: which classes are mistaken for which, and whether percentages
   * say how often answers are right. To use the temperature: `lens.classes(names, { temperature })`.
   */
  assess(examples: Iterable<{ image: ImageSource; label: string }>, options?: AssessOptions): Promise<Assessment>;
  /** The same of answers that are there already. */
  assessAnswers(answers: Iterable<{ predictions: Prediction[]; label: string }>): Promise<Assessment>;
  /**
   * The pairs of classes that answers leave in doubt: both among the most likely of a photo. Fill their file
   * with what tells them apart, by hand or by a language model of yours, for `train` with the recipe fudd.
   *
   * ```js
   * const { pairs, toBlob } = await classes.confusedPairs(results);
   * // later: await classes.train([], { recipe: "fudd", descriptions: JSON.parse(await filled.text()) })
   * ```
   */
  confusedPairs(answers: Iterable<{ predictions: Prediction[] }>, options?: ConfusedPairsOptions): Promise<ConfusedPairs>;
  /** Takes a threshold that was saved as {@link Calibration.file}. */
  useCalibration(file: string): Promise<void>;
  /** Mines negative labels afresh; later answers use them. */
  mineNegatives(options?: NegativesOptions): Promise<Negatives>;
  /**
   * Learns a prompt from photos of these classes, which stay as they are: make new ones with
   * `lens.classes(names, { prompt })`.
   */
  train(examples: Iterable<{ image: ImageSource; label: string }>, options?: TrainOptions): Promise<Prompt>;
  /**
   * Labels photos by the class names and negative labels, to make examples for the recipe lapt out of
   * photos that nobody labeled.
   */
  pseudoLabel(images: Iterable<ImageSource>, options?: PseudoLabelOptions): Promise<PseudoLabels>;
  /** The former name of {@link Classes.pseudoLabel}. */
  collect(images: Iterable<ImageSource>, options?: PseudoLabelOptions): Promise<PseudoLabels>;
  /** These classes as a classifier file, for {@link PromptLens.open}, the page and the command line. It holds no photo. */
  toClassifier(options?: SaveOptions): Promise<Blob>;
  /** Releases the text features, after the calls already made. */
  free(): void;
}

/** A classifier file at work. */
export class Classifier {
  private constructor();
  readonly lens: PromptLens;
  readonly classes: Classes;
  readonly settings: ClassifierSettings;
  /** The options of {@link Classes.classify} that the file asks for. */
  readonly options: ClassifyOptions;
  /** The answer for one image file, scored, tuned and judged as the file says. `options` go before those of the file. */
  classify(image: ImageSource, options?: ClassifyOptions): Promise<Result>;
  /** Answers what a video shows, as {@link Classes.live} does, scored, tuned and judged as the file says. */
  live(video: HTMLVideoElement, options?: LiveOptions): AsyncGenerator<LiveAnswer>;
  /** Ends the worker of the model. */
  free(): void;
}

/** Reads a classifier file, without its model. */
export function readClassifier(source: ImageSource | string | URL, options?: CallOptions): Promise<ClassifierSettings>;
/** Writes a classifier file. */
export function writeClassifier(settings: ClassifierSettings): Promise<Blob>;
