/*
 * Every recipe, on three data sets, clean and blurred, as tables:
 *
 *   node scripts/recipe-benchmark.mjs DATA [RESULTS]
 *
 * DATA holds imagenette.tar.gz, cifar10.tar.gz and flowers.tar.gz. What `promptlens compare` answers
 * is kept in RESULTS (benches/results/recipes), one file for each data set and condition, and is not
 * computed again; the tables go to stdout. PROMPTLENS_BIN names another command line.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [data, results = join(root, "benches/results/recipes")] = process.argv.slice(2);
if (!data) {
  console.error("usage: node scripts/recipe-benchmark.mjs DATA [RESULTS]");
  process.exit(2);
}
const target = process.env.CARGO_TARGET_DIR ?? join(homedir(), ".cache/promptlens/target");
const program = process.env.PROMPTLENS_BIN ?? join(target, "release/promptlens");

const SETS = ["flowers", "imagenette", "cifar10"];
const CONDITIONS = ["clean", "blur:3"];
const RECIPES =
  "templates,proapo,tip-adapter,tip-adapter-f,tfup,taskres,coop-snapshots,coop,kgcoop,prograd,promptsrc,msgcoop,pre,mocoop,cocoop,atprompt";
/** A context for every image costs a pass of the text tower for each, so this one is measured on fewer. */
const SLOW = ["--limit-for", "cocoop=200", "--set", "cocoop.epochs=2"];
/** Fewer epochs than these recipes' defaults, so that all of it takes less than half an hour on two cores. */
const EPOCHS = ["atprompt.epochs=60", "prograd.epochs=50", "pre.epochs=30", "promptsrc.epochs=5", "msgcoop.epochs=10", "mocoop.epochs=10"];

/** CoOp with snapshots again on so many draws: what it gains differs by more from draw to draw than from zero-shot. */
const MANY = 16;

function compare(set, condition, recipes, rest, shots = "1,4,16", seeds = 3) {
  const args = ["compare", "--json", "--model", join(root, "www/models/mini-vit"), "--data", join(data, `${set}.tar.gz`)];
  args.push("--shots", shots, "--seeds", String(seeds), "--recipes", recipes, ...rest);
  if (condition !== "clean") args.push("--corrupt", condition);
  const { status, stdout } = spawnSync(program, args, { stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`compare ended with ${status}: ${stdout}`);
  return JSON.parse(stdout);
}

/** All recipes. */
function measure(set, condition) {
  return compare(set, condition, RECIPES, [...SLOW, ...EPOCHS.flatMap((value) => ["--set", value])]);
}

/** What `take` measures, kept in a file of the results. */
function kept(set, condition, more, take) {
  const file = join(results, `${set}-${condition.replace(":", "")}${more}.json`);
  if (!existsSync(file)) {
    const started = Date.now();
    const found = take();
    console.error(`${set}, ${condition}${more}: ${((Date.now() - started) / 1000).toFixed(0)} s`);
    // The address of the data set is this machine's affair.
    writeFileSync(file, `${JSON.stringify({ ...found, data: `${set}.tar.gz`, model: "www/models/mini-vit" })}\n`);
  }
  return { set, condition, ...JSON.parse(readFileSync(file, "utf8")) };
}

mkdirSync(results, { recursive: true });
const places = SETS.flatMap((set) => CONDITIONS.map((condition) => [set, condition]));
const runs = places.map(([set, condition]) => kept(set, condition, "", () => measure(set, condition)));
const many = places.map(([set, condition]) =>
  kept(set, condition, "-many", () => compare(set, condition, "coop-snapshots", [], "16", MANY)),
);

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const points = (share) => (100 * share).toFixed(1);
const line = (cells) => `| ${cells.join(" | ")} |`;
const ruler = (cells) => `|---|${"--:|".repeat(cells.length - 1)}`;
const recipes = [...new Set(runs.flatMap(({ outcomes }) => outcomes.map(({ recipe }) => recipe)))];
const of = (run, recipe, shots) => run.outcomes.filter((one) => one.recipe === recipe && one.shots === shots);

/** One value of every recipe for every data set and condition. */
function table(title, shots, zero, value) {
  const head = [title, ...runs.map(({ set, condition }) => `${set}, ${condition}`)];
  const rows = [head, runs.map(zero)].map((cells, i) => (i === 0 ? line(cells) : line(["zero-shot", ...cells])));
  rows.splice(1, 0, ruler(head));
  for (const recipe of recipes) {
    const fewer = runs.map((run) => run.fewer.find((one) => one.recipe === recipe));
    if (fewer.some(Boolean)) {
      const name = `zero-shot on the ${fewer.find(Boolean).n} images of ${recipe}`;
      rows.push(line([name, ...fewer.map((one) => (one ? zero(one) : "-"))]));
    }
    rows.push(line([recipe, ...runs.map((run) => (of(run, recipe, shots).length ? value(of(run, recipe, shots), run) : "-"))]));
  }
  return rows.join("\n");
}

for (const shots of [1, 4, 16]) {
  console.log(`\n### ${shots} image${shots > 1 ? "s" : ""} per class\n`);
  console.log("Accuracy on all names, mean and range over three draws:\n");
  console.log(
    table("all names", shots, ({ zero_shot: z }) => points(z.all), (own) => {
      const all = own.map(({ scores }) => scores.all);
      return `${points(mean(all))} (${points(Math.min(...all))} to ${points(Math.max(...all))})`;
    }),
  );
  console.log("\nBase / new / harmonic mean, means over the draws:\n");
  const three = ({ base, new: fresh, harmonic }) => `${points(base)} / ${points(fresh)} / ${points(harmonic)}`;
  const means = (own) => Object.fromEntries(["base", "new", "harmonic"].map((key) => [key, mean(own.map(({ scores }) => scores[key]))]));
  console.log(table("base / new / H", shots, ({ zero_shot: z }) => three(z), (own) => three(means(own))));
}
console.log(`\n### CoOp with snapshots on ${MANY} draws\n`);
console.log("Points over zero-shot with 16 images per class, mean and its standard error:\n");
const gains = (key) =>
  many.map(({ outcomes, zero_shot: zero }) => {
    const own = outcomes.map(({ scores }) => 100 * (scores[key] - zero[key]));
    const centre = mean(own);
    const spread = Math.sqrt(own.reduce((sum, gain) => sum + (gain - centre) ** 2, 0) / (own.length - 1));
    return `${centre.toFixed(2)} ± ${(spread / Math.sqrt(own.length)).toFixed(2)}`;
  });
const head = ["", ...places.map((place) => place.join(", "))];
const rows = ["all", "base", "new"].map((key) => line([`${key} names`, ...gains(key)]));
console.log([line(head), ruler(head), ...rows].join("\n"));
console.log("\n### What it costs\n");
console.log("Trained parameters and seconds for all names, 16 images per class, means over draws and conditions:\n");
const cost = ["recipe", ...SETS.map((set) => `${set}: parameters`), ...SETS.map((set) => `${set}: seconds`)];
console.log(`${line(cost)}\n${ruler(cost)}`);
for (const recipe of recipes) {
  const own = SETS.map((set) => runs.filter((run) => run.set === set).flatMap((run) => of(run, recipe, 16)));
  const numbers = own.map((some) => (some.length ? String(some[0].trained_parameters) : "-"));
  console.log(line([recipe, ...numbers, ...own.map((some) => (some.length ? mean(some.map(({ seconds }) => seconds)).toFixed(2) : "-"))]));
}
const refused = [...new Set(runs.flatMap((run) => run.refused.map(([recipe, why]) => `${recipe}: ${why}`)))];
if (refused.length > 0) console.log(`\nRefused: ${refused.join("; ")}`);
