/*
 * Recipes with their fitted defaults beside their published settings, as a table:
 *
 *   node scripts/published-benchmark.mjs DATA [RESULTS]
 *
 * DATA holds flowers.tar.gz and imagenette.tar.gz. Each cell (recipes, settings, data set, condition, number
 * of images) is one file of RESULTS (benches/results/published) as soon as it is measured, and is not computed
 * again. ONLY="flowers clean 16" measures the cells that have all these words; PROMPTLENS_BIN names another
 * command line. The table of the cells that are there goes to stdout.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [data, results = join(root, "benches/results/published")] = process.argv.slice(2);
if (!data) {
  console.error("usage: node scripts/published-benchmark.mjs DATA [RESULTS]");
  process.exit(2);
}
const target = process.env.CARGO_TARGET_DIR ?? join(homedir(), ".cache/promptlens/target");
const program = process.env.PROMPTLENS_BIN ?? join(target, "release/promptlens");

const RECIPES = ["tip-adapter", "coop", "kgcoop", "coop-snapshots", "mocoop"];
/** Recipes that share their crops are measured together, since encoding the crops takes longest. */
const GROUPS = { defaults: [RECIPES.join(",")], paper: RECIPES };
const SETTINGS = {
  defaults: [],
  // New crops for every epoch encode each photo 200 times; the eight of the defaults serve all epochs here.
  paper: ["--set", "settings=paper", "--set", "fresh-crops=no"],
};
const SETS = ["flowers", "imagenette"];
const CONDITIONS = ["clean", "blur:3"];
const SHOTS = [16, 4];
const SEEDS = 3;

const cells = SETS.flatMap((set) =>
  SHOTS.flatMap((shots) =>
    CONDITIONS.flatMap((condition) =>
      Object.entries(GROUPS).flatMap(([settings, groups]) => groups.map((recipes) => ({ recipes, settings, set, condition, shots }))),
    ),
  ),
);
const place = ({ recipes, settings, set, condition, shots }) =>
  join(results, `${recipes.replaceAll(",", "+")}-${settings}-${set}-${condition.replace(":", "")}-${shots}.json`);

/** Measures one cell and keeps it. */
function measure(cell) {
  const args = ["compare", "--json", "--model", join(root, "www/models/mini"), "--data", join(data, `${cell.set}.tar.gz`)];
  args.push("--recipes", cell.recipes, "--shots", String(cell.shots), "--seeds", String(SEEDS), ...SETTINGS[cell.settings]);
  if (cell.condition !== "clean") args.push("--corrupt", cell.condition);
  const started = Date.now();
  const { status, stdout } = spawnSync(program, args, { stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`compare ended with ${status}: ${stdout}`);
  const found = JSON.parse(stdout);
  // The address of the data set is this machine's affair.
  const kept = { ...found, ...cell, data: `${cell.set}.tar.gz`, model: "www/models/mini", date: new Date().toISOString().slice(0, 10) };
  writeFileSync(place(cell), `${JSON.stringify(kept)}\n`);
  console.error(`${Object.values(cell).join(", ")}: ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

mkdirSync(results, { recursive: true });
const only = process.env.ONLY?.split(" ") ?? [];
for (const cell of cells) {
  const wanted = only.every((word) => Object.values(cell).map(String).includes(word));
  if (wanted && !existsSync(place(cell))) measure(cell);
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const points = (share) => (100 * share).toFixed(1);
const line = (all) => `| ${all.join(" | ")} |`;
const read = (cell) => (existsSync(place(cell)) ? JSON.parse(readFileSync(place(cell), "utf8")) : undefined);
for (const shots of SHOTS) {
  const columns = SETS.flatMap((set) => CONDITIONS.map((condition) => ({ set, condition, shots })));
  console.log(`\n${shots} images of a class, all names: mean and range over ${SEEDS} draws\n`);
  console.log(line(["recipe", "settings", ...columns.map(({ set, condition }) => `${set}, ${condition}`)]));
  console.log(`|---|---|${"--:|".repeat(columns.length)}`);
  const zero = columns.map((column) => {
    const some = cells.filter((cell) => Object.entries(column).every(([key, value]) => cell[key] === value)).map(read);
    return some.find(Boolean) ? points(some.find(Boolean).zero_shot.all) : "-";
  });
  console.log(line(["zero-shot", "", ...zero]));
  for (const recipe of RECIPES) {
    for (const settings of Object.keys(SETTINGS)) {
      const recipes = GROUPS[settings].find((group) => group.split(",").includes(recipe));
      const found = columns.map((column) => {
        const all = read({ recipes, settings, ...column })?.outcomes.filter((one) => one.recipe === recipe).map(({ scores }) => scores.all);
        return all?.length ? `${points(mean(all))} (${points(Math.min(...all))} to ${points(Math.max(...all))})` : "-";
      });
      console.log(line([recipe, settings, ...found]));
    }
  }
}
