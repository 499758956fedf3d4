#!/usr/bin/env node
// How well every score tells the classes of a model from everything else, before and after LAPT, by
// `promptlens train` and `promptlens eval`.
//   node benches/rejection.mjs --data ../shared/data [--model www/models/mini] [--lists www/models/mini-vit] [--limit 600] [--out FILE]
//   node benches/rejection.mjs --tables FILE     only prints the tables of an earlier result
//
// The classes are the names in trained.txt of the folder LISTS, over the test splits of three data sets;
// the others are textures (far), imagenet1000 (mixed) and the names that training.json there held out (near).
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus, homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values: given } = parseArgs({
  options: {
    data: { type: "string", default: "../shared/data" },
    model: { type: "string", default: "www/models/mini" },
    lists: { type: "string", default: "www/models/mini-vit" },
    limit: { type: "string", default: "600" },
    out: { type: "string" },
    tables: { type: "string" },
  },
});

const SETS = ["cifar10", "imagenette", "flowers"];
const SCORES = ["mcm", "max-logit", "energy", "entropy", "variance", "gl-mcm", "neglabel"];
const SHOTS = 16;
const OTHERS_PER_NAME = 100;
const program =
  process.env.PROMPTLENS_BIN ?? join(process.env.CARGO_TARGET_DIR ?? join(homedir(), ".cache/promptlens/target"), "release/promptlens");
const run = (args) => JSON.parse(execFileSync(program, args, { maxBuffer: 1 << 26, stdio: ["ignore", "pipe", "inherit"] }));

/** The first `count` files of a class folder, copied to another. */
function take(from, to, count = Infinity) {
  mkdirSync(to, { recursive: true });
  const files = readdirSync(from).sort().slice(0, count);
  for (const file of files) cpSync(join(from, file), join(to, `${files.length}-${file}`));
}

/** Lays the photos out as the commands want them. */
function prepare(folder, names, heldOut) {
  for (const set of SETS) {
    const raw = join(folder, "raw", set);
    mkdirSync(raw, { recursive: true });
    execFileSync("tar", ["xzf", join(given.data, `${set}.tar.gz`), "-C", raw]);
    for (const name of readdirSync(join(raw, "test"))) {
      const [train, test] = ["train", "test"].map((split) => join(raw, split, name));
      if (names.includes(name)) {
        take(test, join(folder, "id", name));
        take(test, join(folder, "lesson/test", name));
        take(train, join(folder, "lesson/train", name), SHOTS);
      } else if (heldOut.includes(name)) {
        take(test, join(folder, "near", name));
        take(train, join(folder, "near-train", name), OTHERS_PER_NAME);
      }
    }
  }
}

function measure() {
  const names = readFileSync(join(given.lists, "trained.txt"), "utf8").split("\n").filter(Boolean);
  const { near_ood: heldOut } = JSON.parse(readFileSync(join(given.lists, "training.json"), "utf8"));
  const folder = mkdtempSync(join(tmpdir(), "promptlens-rejection-"));
  try {
    prepare(folder, names, heldOut);
    const common = ["--json", "--model", given.model, "--labels", `@${join(given.lists, "trained.txt")}`, "--limit", given.limit];
    const train = (name, rest) => {
      const out = join(folder, `${name}.safetensors`);
      run(["train", ...common, "--recipe", "lapt", "--out", out, ...rest]);
      return ["--prompt", out];
    };
    const lesson = ["--data", join(folder, "lesson")];
    const taught = [
      { trained: "before", prompt: [], scores: SCORES },
      { trained: "texts only", prompt: train("texts", []), scores: ["lapt"] },
      { trained: "class photos", prompt: train("photos", lesson), scores: [...SCORES.filter((s) => s !== "neglabel"), "lapt"] },
      {
        trained: "class photos and others",
        prompt: train("others", [...lesson, "--ood-data", join(folder, "near-train")]),
        scores: ["lapt"],
      },
    ];
    const others = {
      textures: join(given.data, "textures.tar.gz"),
      imagenet1000: join(given.data, "imagenet1000.tar.gz"),
      near: join(folder, "near"),
    };
    const rows = [];
    for (const { trained, prompt, scores } of taught) {
      for (const score of scores) {
        const row = { trained, score };
        for (const [name, data] of Object.entries(others)) {
          const found = run(["eval", ...common, "--data", join(folder, "id"), "--ood", score, "--ood-data", data, ...prompt]);
          row.accuracy = found.accuracy;
          const { auroc, fpr95, intervals, n_in, n_out } = found.ood;
          row[name] = { auroc, fpr95, intervals, n_in, n_out };
        }
        rows.push(row);
        console.error(`${trained}, ${score}: ${Object.keys(others).map((name) => row[name].auroc.toFixed(3)).join(" ")}`);
      }
    }
    return {
      date: new Date().toISOString().slice(0, 10),
      command: `node benches/rejection.mjs ${process.argv.slice(2).join(" ")}`.trim(),
      machine: `${cpus()[0].model}, ${cpus().length} cores`,
      model: given.model,
      names: names.length,
      rows,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function print({ rows }) {
  const line = (cells) => console.log(`| ${cells.join(" | ")} |`);
  const sets = ["textures", "imagenet1000", "near"];
  line(["trained with", "score", "accuracy", ...sets.flatMap((set) => [`${set} AUROC`, "FPR95"])]);
  line(["---", "---", ...Array(7).fill("--:")]);
  for (const row of rows) {
    const cell = (name, value) => {
      const { low, high } = row[name].intervals[value];
      return `${row[name][value].toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
    };
    const cells = sets.flatMap((set) => [cell(set, "auroc"), cell(set, "fpr95")]);
    line([row.trained, row.score, `${(100 * row.accuracy).toFixed(1)} %`, ...cells]);
  }
}

const report = given.tables ? JSON.parse(readFileSync(given.tables, "utf8")) : measure();
if (!given.tables) writeFileSync(given.out ?? `benches/results/${report.date}-rejection.json`, `${JSON.stringify(report, null, 1)}\n`);
print(report);
