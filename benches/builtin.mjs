#!/usr/bin/env node
// What the built-in model knows, by `promptlens eval` and `promptlens retrieve`, on test splits that
// no part of its training has seen.
//   node benches/builtin.mjs --data ../shared/data [--model www/models/mini] [--out FILE]
//   node benches/builtin.mjs --table FILE     only prints the table of an earlier result
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus, homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values: given } = parseArgs({
  options: {
    data: { type: "string", default: "../shared/data" },
    model: { type: "string", default: "www/models/mini" },
    former: { type: "string", default: "www/models/mini-vit" },
    quant: { type: "string" },
    out: { type: "string" },
    table: { type: "string" },
  },
});

const SETS = ["tiny200", "cifar100", "caltech101", "grocery", "clothing", "scenes", "weather", "animals22"];
const DRAWS = 2000;
/** CIFAR-10's names and other words for the same things. */
const NEAR = {
  airplane: "airliner",
  automobile: "sports car",
  bird: "sparrow",
  cat: "tabby",
  deer: "reindeer",
  dog: "terrier",
  horse: "mare",
  ship: "ferry",
  truck: "pickup",
};
const SCORES = ["mcm", "max-logit", "energy", "entropy", "gl-mcm", "neglabel"];
const program =
  process.env.PROMPTLENS_BIN ?? join(process.env.CARGO_TARGET_DIR ?? join(homedir(), ".cache/promptlens/target"), "release/promptlens");
const run = (command, ...args) => {
  const form = given.quant ? ["--quant", given.quant] : [];
  const all = [command, "--json", "--model", given.model, ...form, ...args];
  return JSON.parse(execFileSync(program, all, { maxBuffer: 1 << 26, stdio: ["ignore", "pipe", "ignore"] }));
};
const data = (set) => join(given.data, `${set}.tar.gz`);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Rows of vocabulary.tsv. */
function vocabulary() {
  const [head, ...lines] = readFileSync(join(given.data, "names/vocabulary.tsv"), "utf8").trim().split(/\r?\n/).map((line) => line.split("\t"));
  return lines.map((cells) => Object.fromEntries(head.map((name, column) => [name, cells[column] ?? ""])));
}

function measure() {
  const folder = mkdtempSync(join(tmpdir(), "promptlens-builtin-"));
  const list = (name, names) => {
    const path = join(folder, name);
    writeFileSync(path, `${names.join("\n")}\n`);
    return `@${path}`;
  };
  const unpack = (set) => {
    const to = join(folder, set);
    if (!existsSync(to)) {
      mkdirSync(to);
      execFileSync("tar", ["xzf", data(set), "-C", to]);
    }
    return to;
  };
  const rows = vocabulary();
  const names = (use) => rows.filter((row) => row.use === use && !row.same_as).map(({ name }) => name);
  const known = list("known.txt", names("known"));
  const found = { model: given.model, quant: given.quant ?? "as stored", machine: cpus()[0].model, date: new Date().toISOString().slice(0, 10) };

  found.known = {};
  for (const [index, set] of SETS.entries()) {
    const draws = Math.floor(DRAWS / SETS.length);
    const answer = run("eval", "--data", data(set), "--labels", known, "--lenient", join(given.data, "names/names.json"), "--draw", `6:${draws}`, "--seed", String(index));
    found.known[set] = { n: answer.n, top1: answer.accuracy, top5: answer.top5, lenient: answer.lenient.accuracy, six: answer.draw.accuracy, byName: answer.per_class };
  }

  const classes = readFileSync(join(given.data, "names/imagenet1000.txt"), "utf8").split("\n").map((name) => name.trim()).filter(Boolean);
  const imagenet = run("eval", "--data", data("imagenet1000"), "--labels", list("imagenet.txt", [...new Set(classes)]));
  found.imagenet = { n: imagenet.n, top1: imagenet.accuracy, top5: imagenet.top5 };

  const cifar = unpack("cifar10");
  const other = join(folder, "near/test");
  mkdirSync(other, { recursive: true });
  for (const [name, word] of Object.entries(NEAR)) cpSync(join(cifar, "test", name), join(other, word), { recursive: true });
  const near = run("eval", "--data", join(folder, "near"), "--labels", "auto");
  const plain = run("eval", "--data", data("cifar10"), "--labels", Object.keys(NEAR).join());
  found.near = { n: near.n, words: near.accuracy, plain: plain.accuracy, perWord: near.per_class };

  const withheld = names("near_ood_dev");
  for (const set of SETS) {
    const from = join(unpack(set), "near_ood");
    for (const name of existsSync(from) ? readdirSync(from) : []) {
      if (withheld.includes(name)) cpSync(join(from, name), join(folder, "withheld/test", name), { recursive: true });
    }
  }
  const among = run("eval", "--data", join(folder, "withheld"), "--labels", list("withheld.txt", withheld));
  const beside = run("eval", "--data", join(folder, "withheld"), "--labels", list("both.txt", [...names("known"), ...withheld]));
  found.withheld = { n: among.n, among: among.accuracy, beside: beside.accuracy, beside5: beside.top5 };

  const before = `@${join(given.former, "trained.txt")}`;
  found.before = Object.fromEntries(["cifar10", "imagenette", "flowers"].map((set) => [set, run("eval", "--data", data(set), "--labels", before).accuracy]));

  found.textures = {};
  for (const score of SCORES) {
    const { ood } = run("eval", "--data", data("imagenette"), "--labels", "auto", "--limit", "600", "--ood", score, "--ood-data", data("textures"));
    found.textures[score] = { auroc: ood.auroc.value ?? ood.auroc, fpr95: ood.fpr95.value ?? ood.fpr95 };
  }
  found.retrieval = run("retrieve", "--data", data("flickr8k"), "--captions", "1");
  rmSync(folder, { recursive: true });
  return found;
}

function table(found) {
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  const sets = Object.entries(found.known);
  const line = (...cells) => `| ${cells.join(" | ")} |`;
  const all = (key) => mean(sets.map(([, one]) => one[key]));
  return [
    line("test split", "photos", "top-1", "top-5", "related names right too", "among six names"),
    line("---", "--:", "--:", "--:", "--:", "--:"),
    ...sets.map(([set, one]) => line(set, one.n, percent(one.top1), percent(one.top5), percent(one.lenient), percent(one.six))),
    line("mean", "", ...["top1", "top5", "lenient", "six"].map((key) => percent(all(key)))),
    "",
    line("measure", "value"),
    line("---", "--:"),
    line(`ImageNet's names, ${found.imagenet.n} photos, top-1 and top-5`, `${percent(found.imagenet.top1)}, ${percent(found.imagenet.top5)}`),
    line(`other words for nine of CIFAR-10 (${found.near.n} photos), the plain names`, `${percent(found.near.words)}, ${percent(found.near.plain)}`),
    line(`18 names without a photo in training (${found.withheld.n} photos), among themselves`, percent(found.withheld.among)),
    line("the same beside all known names, top-1 and top-5", `${percent(found.withheld.beside)}, ${percent(found.withheld.beside5)}`),
    ...Object.entries(found.before).map(([set, share]) => line(`${set} among the 22 names of mini-vit`, percent(share))),
    ...Object.entries(found.textures).map(([score, { auroc }]) => line(`textures against imagenette's names, AUROC of ${score}`, auroc.toFixed(3))),
    line("Flickr8k, 500 captions to 500 pictures", JSON.stringify(found.retrieval)),
    "",
    ...sets.map(([set, { byName }]) => {
      const sorted = Object.entries(byName).sort(([, a], [, b]) => b - a);
      return `${set}, top-1 in %: ${sorted.map(([name, share]) => `${name} ${Math.round(100 * share)}`).join(", ")}.\n`;
    }),
  ].join("\n");
}

const found = given.table ? JSON.parse(readFileSync(given.table, "utf8")) : measure();
if (given.out) writeFileSync(given.out, `${JSON.stringify(found)}\n`);
console.log(table(found));
