#!/usr/bin/env node
// Accuracy without and with test-time tuning, clean and under every corruption, by `promptlens eval`.
// Every run is written to the result at once, and a result that is already there is taken up.
//   node benches/tuning.mjs --data ../shared/data [--model www/models/mini] [--limit 100] [--severity 3] [--only clean,fog] [--out FILE]
//   node benches/tuning.mjs --tables FILE      only prints the tables of an earlier result
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values: given } = parseArgs({
  options: {
    data: { type: "string", default: "../shared/data" },
    model: { type: "string", default: "www/models/mini" },
    limit: { type: "string", default: "100" },
    severity: { type: "string", default: "3" },
    only: { type: "string" },
    out: { type: "string" },
    tables: { type: "string" },
  },
});

const SETS = ["cifar10", "imagenette", "flowers"];
const METHODS = ["tpt", "difftpt-lite"];
const CORRUPTIONS = ["gaussian-noise", "blur", "contrast", "brightness", "jpeg", "pixelate", "fog"];
const program =
  process.env.PROMPTLENS_BIN ?? join(process.env.CARGO_TARGET_DIR ?? join(homedir(), ".cache/promptlens/target"), "release/promptlens");

function evaluate(set, method, corruption) {
  const args = ["eval", "--json", "--model", given.model, "--data", join(given.data, `${set}.tar.gz`), "--labels", "auto", "--ood", "none"];
  args.push("--limit", given.limit);
  if (method !== "none") args.push("--tune", method);
  if (corruption !== "clean") args.push("--corrupt", `${corruption}:${given.severity}`);
  const found = JSON.parse(execFileSync(program, args, { maxBuffer: 1 << 26, stdio: ["ignore", "pipe", "ignore"] }));
  const { n, failed, accuracy, tuning, seconds, quant } = found;
  return { set, method, corruption, n, failed, right: Math.round(accuracy * n), accuracy, tuning, seconds, quant };
}

const date = new Date().toISOString().slice(0, 10);
const kept = given.tables ?? given.out ?? `benches/results/${date}-tuning.json`;

/** The result so far, or an empty one. Runs of another model, severity or limit do not belong into one table. */
function opened() {
  const asked = { model: given.model, severity: Number(given.severity), limit: Number(given.limit) };
  if (!existsSync(kept)) {
    const command = `node benches/tuning.mjs ${process.argv.slice(2).join(" ")}`;
    return { date, command, machine: `${cpus()[0].model}, ${cpus().length} cores`, ...asked, runs: [] };
  }
  const found = JSON.parse(readFileSync(kept, "utf8"));
  for (const [name, value] of Object.entries(asked)) {
    if (found[name] !== value) throw new Error(`${kept} was measured with ${name} ${found[name]}, not ${value}: name another file with --out`);
  }
  return found;
}

function measure() {
  const report = opened();
  const wanted = given.only?.split(",") ?? ["clean", ...CORRUPTIONS];
  for (const corruption of wanted) {
    for (const set of SETS) {
      for (const method of ["none", ...METHODS]) {
        if (report.runs.some((run) => run.corruption === corruption && run.set === set && run.method === method)) continue;
        report.runs.push(evaluate(set, method, corruption));
        writeFileSync(kept, `${JSON.stringify(report, null, 1)}\n`);
        const { n, accuracy, seconds } = report.runs.at(-1);
        console.error(`${corruption} ${set} ${method}: ${n} images, ${(100 * accuracy).toFixed(1)} %, ${seconds.toFixed(0)} s`);
      }
    }
  }
  return report;
}

/** The runs of one method under one corruption, taken together. */
function together(runs) {
  const sum = (of) => runs.reduce((total, run) => total + of(run), 0);
  const n = sum((run) => run.n);
  const share = (name) => sum((run) => run.n * run.tuning[name]) / n;
  const all = { n, right: sum((run) => run.right), seconds: sum((run) => run.seconds) };
  if (!runs[0].tuning) return all;
  for (const name of ["gained", "lost", "answers_changed", "guarded"]) all[name] = sum((run) => run.tuning[name]);
  for (const name of ["entropy_fell", "probabilities_changed", "entropy_before", "entropy_after"]) all[name] = share(name);
  return all;
}

/**
 * Two-sided exact p-value of McNemar's test: as many or more unequal wins and losses by chance.
 * Binomial with p = 1/2 over the images that changed sides.
 */
function mcnemar(gained, lost) {
  const n = gained + lost;
  let [term, tail] = [0.5 ** n, 0];
  for (let i = 0; i <= Math.min(gained, lost); i += 1) {
    tail += term;
    term *= (n - i) / (i + 1);
  }
  return Math.min(1, 2 * tail);
}

function print({ runs }) {
  const percent = (part, n) => `${((100 * part) / n).toFixed(1)} %`;
  const row = (cells) => console.log(`| ${cells.join(" | ")} |`);
  const cell = (r, test) => {
    const p = test ? `, p ${mcnemar(r.gained, r.lost).toFixed(2)}` : "";
    return `${percent(r.right, r.n)} (+${r.gained} −${r.lost}${p})`;
  };
  const conditions = [...new Set(runs.map((run) => run.corruption))];
  row(["images", "n", "untuned", ...METHODS]);
  row(["---", "--:", "--:", ...METHODS.map(() => "--:")]);
  const line = (name, chosen, test = true) => {
    const of = (method) => together(chosen.filter((run) => run.method === method));
    row([name, of("none").n, percent(of("none").right, of("none").n), ...METHODS.map((method) => cell(of(method), test))]);
  };
  for (const set of SETS) line(`${set}, clean`, runs.filter((run) => run.set === set && run.corruption === "clean"));
  for (const corruption of conditions) line(`all, ${corruption}`, runs.filter((run) => run.corruption === corruption));
  // The same images under every corruption: not independent, so no test over all of them.
  line("all, corrupted", runs.filter((run) => run.corruption !== "clean"), false);
  console.log("");
  row(["images", "method", "entropy fell", "mean entropy in nats", "probabilities changed", "answers changed", "guarded", "seconds per image"]);
  row(["---", "---", ...Array(6).fill("--:")]);
  for (const corruption of conditions) {
    for (const method of METHODS) {
      const r = together(runs.filter((run) => run.method === method && run.corruption === corruption));
      const entropy = `${r.entropy_before.toFixed(4)} → ${r.entropy_after.toFixed(4)}`;
      const shares = [percent(r.entropy_fell, 1), entropy, percent(r.probabilities_changed, 1), `${r.answers_changed} of ${r.n}`];
      row([corruption, method, ...shares, r.guarded, (r.seconds / r.n).toFixed(2)]);
    }
  }
}

print(given.tables ? JSON.parse(readFileSync(kept, "utf8")) : measure());
