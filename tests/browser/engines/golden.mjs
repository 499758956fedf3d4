/**
 * The reference of every engine: what the command line answers on the CPU.
 *
 *   node tests/browser/engines/golden.mjs   writes golden.json, with the built command line
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { cli } from "../harness.mjs";
import { CALIBRATION, inOrder, LEARNING, LESSON, MODEL, NAMES, PICTURES, TEMPLATES, TUNED } from "./cases.js";

const here = dirname(fileURLToPath(import.meta.url));
const ROOT = join(here, "../../..");
const FILE = join(here, "golden.json");

/** Where the folders of the test site lie in the repository. */
const FOLDERS = { samples: "www/samples", files: "tests/image/files" };

/** The file of a picture of the test site. */
function fileOf(picture) {
  const [folder, name] = picture.split("/");
  return join(ROOT, FOLDERS[folder], name);
}

/** @returns {Promise<import("./cases.js").Golden>} what golden.json holds */
export const golden = async () => JSON.parse(await readFile(FILE, "utf8"));

/**
 * What the command line answers on a device.
 *
 * @param {"cpu" | "webgpu"} device
 * @returns {Promise<import("./cases.js").Golden>}
 */
export async function native(device) {
  const answers = await nativeAnswers(device);
  const asked = about(device);
  const folder = await mkdtemp(join(tmpdir(), "promptlens-golden-"));
  try {
    const { tune, views, seed } = TUNED.options;
    const [tuned] = await classify(device, [fileOf(TUNED.picture)], "--tune", tune, "--views", String(views), "--seed", String(seed));

    for (const [picture, label] of LESSON) await copyTo(join(folder, "lesson", label), picture);
    const { recipe, crops, seed: order, ...set } = LEARNING;
    const prompt = join(folder, "prompt.safetensors");
    const parameters = Object.entries(set).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
    const how = ["--recipe", recipe, "--crops", String(crops), "--seed", String(order), ...parameters];
    const { losses } = await cli("train", ...asked, "--data", join(folder, "lesson"), ...how, "--out", prompt);
    const [answer] = await classify(device, [fileOf(TUNED.picture)], "--prompt", prompt);

    for (const picture of CALIBRATION) await copyTo(join(folder, "calibration"), picture);
    const images = ["--images", join(folder, "calibration")];
    const { threshold } = await cli("calibrate", ...asked, ...images, "--out", join(folder, "calibration.json"));
    return { answers, tuned, taught: { losses, answer }, threshold };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Only the answers: what costs a software adapter least.
 *
 * @param {"cpu" | "webgpu"} device
 * @returns {Promise<import("./cases.js").Golden["answers"]>}
 */
export async function nativeAnswers(device) {
  const files = PICTURES.map(fileOf);
  const byPrompt = [];
  for (const template of TEMPLATES) byPrompt.push(await classify(device, files, "--template", template));
  return Object.fromEntries(PICTURES.map((picture, i) => [picture, byPrompt.map((lists) => lists[i])]));
}

const about = (device) => ["--model", join(ROOT, "www/models", MODEL), "--device", device, "--labels", NAMES.join(",")];

async function classify(device, files, ...options) {
  const { results } = await cli("classify", ...about(device), ...options, ...files);
  return results.map(inOrder);
}

async function copyTo(folder, picture) {
  await mkdir(folder, { recursive: true });
  await copyFile(fileOf(picture), join(folder, basename(picture)));
}

/** Nine digits behind the point, and a list in one line. */
function written(value) {
  const rounded = JSON.stringify(value, (_, each) => (typeof each === "number" ? Number(each.toFixed(9)) : each), 1);
  return `${rounded.replace(/\[\s+(-?[\d.e-][^[\]{}]*?)\s+\]/g, (_, list) => `[${list.replace(/\s+/g, " ")}]`)}\n`;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await writeFile(FILE, written(await native("cpu")));
  console.log(`wrote ${FILE}`);
}
