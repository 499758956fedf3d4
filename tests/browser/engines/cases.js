/** What every engine is asked, in the page of checks and on the command line, and how answers are compared. */

export const MODEL = "mini";

export const NAMES = ["cat", "dog", "church", "rocket", "golf ball", "sunflower", "parachute", "cup"];

/** Three prompts. */
export const TEMPLATES = ["a photo of a {}.", "a drawing of the {}.", "{}"];

/** Every name in every prompt, prompt by prompt. */
export const SENTENCES = TEMPLATES.flatMap((template) => NAMES.map((name) => template.replace("{}", name)));

const PHOTOS = ["cat", "church", "cup", "golf-ball", "parachute", "rocket", "sunflower"].map((name) => `samples/${name}.jpg`);

/** Small pictures of every kind of file that the engine decodes. */
const FILES = [
  "baseline.jpg", "progressive.jpg", "restarts.jpg", "half_width.jpg", "quarter.jpg", "grey.jpg", "cmyk.jpg", "ycck.jpg", "lossy.webp",
  "lossless_alpha.webp", "animated.webp", "animated.gif", "transparent.gif", "palette.png", "grey16.png", "rgba16.png", "rgb.bmp",
].map((name) => `files/${name}`);

/** Paths on the test site: `samples/` is the page's, `files/` is tests/image/files. */
export const PICTURES = [...PHOTOS, ...FILES];

/** The photo that is tuned on, and how. */
export const TUNED = { picture: "samples/cat.jpg", options: { tune: "tpt", views: 4, seed: 0 } };

/** Photos to learn from, one of each class. One has a wrong name, so that the losses are large. */
export const LESSON = [
  ["samples/cat.jpg", "dog"],
  ["samples/church.jpg", "church"],
  ["samples/cup.jpg", "cup"],
  ["samples/rocket.jpg", "rocket"],
];

/** How a prompt is learned from them; each is an option of `train` and of the recipe. */
export const LEARNING = { recipe: "coop", crops: 1, epochs: 2, seed: 0 };

/** As many as a threshold needs. */
export const CALIBRATION = PICTURES.slice(0, 19);

/** The GPU kernels that are compared with the CPU: all of them take more than a quarter of an hour in Firefox. */
export const KERNELS = ["mean_rows"];

/** The probabilities of an answer in the order of the names. */
export function inOrder({ predictions }) {
  return NAMES.map((name) => predictions.find(({ label }) => label === name).probability);
}

/**
 * What the command line answered, as golden.json holds it.
 *
 * @typedef {object} Golden
 * @property {Record<string, number[][]>} answers of each picture: per prompt, a probability per name
 * @property {number[]} tuned a probability per name
 * @property {{losses: number[], answer: number[]}} taught `answer`: of the learned prompt, for the photo of `TUNED`
 * @property {number} threshold of the score "none of these"
 */

/**
 * The largest difference of two answers in each of their parts; of losses, which are no probabilities, it is
 * relative. `lists` counts the lists of probabilities that were compared.
 *
 * @param {Partial<Golden>} found only `answers` is needed
 * @param {Golden} expected
 */
export function differences({ answers, tuned, taught, threshold }, expected) {
  const most = (a, b, scale = () => 1) => {
    if (a.length !== b.length) throw new Error(`${a.length} values instead of ${b.length}`);
    // NaN fails no comparison with a bound, and comes as null through some drivers.
    return Math.max(...a.map((value, i) => (Number.isFinite(value) ? Math.abs(value - b[i]) / scale(b[i]) : Infinity)));
  };
  const lists = Object.entries(expected.answers).flatMap(([picture, prompts]) => prompts.map((list, i) => most(answers[picture][i], list)));
  return {
    lists: lists.length,
    answers: Math.max(...lists),
    ...(tuned !== undefined && { tuned: most(tuned, expected.tuned) }),
    ...(taught !== undefined && { taught: most(taught.answer, expected.taught.answer), losses: most(taught.losses, expected.taught.losses, Math.abs) }),
    ...(threshold !== undefined && { threshold: most([threshold], [expected.threshold]) }),
  };
}
