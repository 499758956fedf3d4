// Zip archives and file names as the page writes them, read by programs that share no code with it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { numbered, safeName, UniqueNames } from "../../www/ui/safe_names.js";
import { zipOf } from "../../www/ui/zip.js";

/** Names, sizes, SHA-256, dates and Unix modes of a zip's members, by Python's own reader, which checks each CRC. */
const PYTHON = `
import hashlib, json, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
print(json.dumps([[m.filename, m.file_size, hashlib.sha256(archive.read(m)).hexdigest(), list(m.date_time), m.compress_type, m.external_attr >> 16] for m in archive.infolist()][: int(sys.argv[2])] + [len(archive.infolist())]))
`;

describe("zips", () => {
  let folder;
  const write = async (name, blob) => {
    const path = join(folder, name);
    await writeFile(path, Buffer.from(await blob.arrayBuffer()));
    return path;
  };
  const read = (path, most = 1000) => {
    const { stdout, stderr, status } = spawnSync("python3", ["-c", PYTHON, path, String(most)], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout);
  };
  const unzip = (path) => spawnSync("unzip", ["-tqq", path], { encoding: "utf8" });

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "promptlens-zip-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test("hold every file byte for byte, with its name, its time and its folder", async () => {
    const bytes = Uint8Array.from({ length: 1_000_003 }, (_, i) => (i * 31) ^ (i >> 8));
    const path = await write(
      "plain.zip",
      await zipOf([
        { path: "cat/Katze ä 猫.jpg", blob: new Blob([bytes]), modified: new Date(2024, 1, 29, 13, 45, 58).getTime() },
        { path: "empty", blob: new Blob([]) },
        { path: "late", blob: new Blob(["x"]), modified: new Date(2150, 0, 1).getTime() },
      ]),
    );
    const { status, stdout } = unzip(path);
    assert.equal(status, 0, stdout);
    const [photo, empty, late, count] = read(path);
    assert.equal(count, 3);
    const { createHash } = await import("node:crypto");
    assert.deepEqual(photo, ["cat/Katze ä 猫.jpg", bytes.length, createHash("sha256").update(bytes).digest("hex"), [2024, 2, 29, 13, 45, 58], 0, 0o100644]);
    assert.deepEqual([empty[1], empty[3].slice(0, 3)], [0, [1980, 1, 1]]);
    assert.equal(late[3][0], 2107);
  });

  test("of more than 65,535 files are zip64", async () => {
    const count = 65_600;
    const path = await write("many.zip", await zipOf(Array.from({ length: count }, (_, i) => ({ path: `d/${i}`, blob: new Blob([String(i)]) }))));
    const { status, stdout } = unzip(path);
    assert.equal(status, 0, stdout);
    assert.equal(read(path, 0).at(-1), count);
  });

  test("without a file that cannot be read are whole", async () => {
    const failed = [];
    const bad = { size: 4, stream: () => new ReadableStream({ pull: () => Promise.reject(new DOMException("gone", "NotFoundError")) }) };
    const short = { size: 4, stream: () => new Blob(["abc"]).stream() };
    const entries = [bad, new Blob(["good"]), short].map((blob, i) => ({ path: `${i}`, blob }));
    const progress = [];
    const zip = await zipOf(entries, { onFailed: ({ path }, { name }) => failed.push([path, name]), onProgress: (done) => progress.push(done) });
    assert.deepEqual(failed, [["0", "NotFoundError"], ["2", "Error"]]);
    assert.deepEqual(progress, [1, 2, 3]);
    const members = read(await write("without.zip", zip));
    assert.deepEqual([members.length, members[0][0]], [2, "1"]);
    await assert.rejects(zipOf(entries), { name: "NotFoundError" });
  });

  test("stop when the caller aborts, and refuse paths that lead elsewhere", async () => {
    const abort = new AbortController();
    function* entries() {
      yield { path: "one", blob: new Blob(["1"]) };
      abort.abort();
      yield { path: "two", blob: new Blob(["2"]) };
    }
    await assert.rejects(zipOf(entries(), { signal: abort.signal }), { name: "AbortError" });
    for (const path of ["../x", "/x", "a//b", "a/./b", "a\\b", ""]) await assert.rejects(zipOf([{ path, blob: new Blob([]) }]), TypeError, path);
  });
});

describe("file names", () => {
  const safe = (name) => safeName(name, "photo");

  test("lead nowhere, hide nothing and turn nothing", () => {
    for (const [name, expected] of [
      ["cat.jpg", "cat.jpg"],
      ["../x.jpg", "_x.jpg"],
      ["..\\..\\x.jpg", "_.._x.jpg"],
      ["/etc/passwd", "_etc_passwd"],
      ["C:\\x.jpg", "C__x.jpg"],
      [".hidden.jpg", "hidden.jpg"],
      ["CON", "_CON"],
      ["con.jpg", "_con.jpg"],
      ["Lpt1.tar.gz", "_Lpt1.tar.gz"],
      ["console.jpg", "console.jpg"],
      ["photo\u202egpj.exe", "photo_gpj.exe"],
      ["a\u2066b\u200bc\u0000d\ne\u2028f.jpg", "a_b_c_d_e_f.jpg"],
      ["end. . ", "end"],
      ["", "photo"],
      [" ... ", "photo"],
      ["\ud800.jpg", "\ufffd.jpg"],
      ["<b>\"*?|.jpg", "_b_____.jpg"],
      ["e\u0301.jpg", "\u00e9.jpg"],
      ["\u06cc\u200c\u06cc 👩‍🚀.jpg", "\u06cc\u200c\u06cc 👩‍🚀.jpg"],
    ]) {
      assert.equal(safe(name), expected, JSON.stringify(name));
    }
  });

  test("are short enough, in whole characters, and keep their ending", () => {
    for (const sign of ["x", "é", "猫", "🚀"]) {
      const name = safe(`${sign.repeat(500)}.jpeg`);
      const bytes = Buffer.byteLength(name);
      assert.ok(bytes <= 120 && bytes > 110, `${sign}: ${bytes} bytes`);
      assert.ok(name.endsWith(`${sign}.jpeg`) && name.isWellFormed(), name);
    }
  });

  test("differ in one folder, for file systems that fold letters too", () => {
    const names = new UniqueNames();
    const given = ["a.jpg", "A.JPG", "a.jpg", "a (2).jpg", "ａ.jpg", "a"];
    const made = given.map((name) => names.of(name));
    assert.deepEqual(made, ["a.jpg", "A (2).JPG", "a (3).jpg", "a (2) (2).jpg", "ａ (4).jpg", "a"]);
    assert.equal(numbered("no ending", 2), "no ending (2)");
    const many = new UniqueNames();
    const all = Array.from({ length: 20_000 }, () => many.of("IMG.jpg"));
    assert.equal(new Set(all).size, all.length);
  });
});
