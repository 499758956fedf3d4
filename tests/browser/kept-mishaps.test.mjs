// What is kept, and what the page holds, while something goes wrong: no room, no storage, hostile or damaged
// data, a clock that is set back, a worker that is killed.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { DIST, openBrowser, openSite } from "./harness.mjs";
import { bench, record, START } from "./kept.mjs";
import { looks } from "./looks.mjs";
import { emptyRecord, readRecord } from "../../www/state/record.js";

test("of what was kept, each part is taken if it is one", () => {
  const whole = { names: ["a"], template: "a {}", score: "", threshold: { score: "mcm", value: 0.5 }, prompt: { sha256: "0".repeat(64), used: true } };
  assert.deepEqual(readRecord(record(whole)), { record: { ...emptyRecord(), ...whole }, damaged: false });
  for (const text of ["", "{", "null", "[1]", "7", '{"format":2,"names":["a"]}', `{"format":1,"names":["${"x".repeat(5_000_000)}"]}`]) {
    assert.deepEqual(readRecord(text), { record: emptyRecord(), damaged: true }, text.slice(0, 30));
  }
  for (const [part, wrong] of [
    ["names", ["a", { toString: 1 }]],
    ["names", { length: 1 }],
    ["template", ["a {}"]],
    ["score", 1],
    ["threshold", { score: "mcm", value: "x" }],
    ["threshold", { score: "mcm", value: null }],
    ["calibration", { file: "{}" }],
    ["negatives", null],
    ["negatives", { struck: "a", added: [], own: null }],
    ["prompt", { sha256: "../../x", used: true }],
    ["prompt", { sha256: "0".repeat(64), used: 1 }],
  ]) {
    const { record: read, damaged } = readRecord(record({ ...whole, [part]: wrong }));
    assert.deepEqual([read, damaged], [{ ...emptyRecord(), ...whole, [part]: emptyRecord()[part] }, true], part);
  }
  const { record: read } = readRecord('{"format":1,"__proto__":{"names":["a"]}}');
  assert.deepEqual([read, read.names], [emptyRecord(), null]);
});

describe("kept work and mishaps", { timeout: 900_000 }, () => {
  let site;
  let session;
  /** The first tab. @type {ReturnType<typeof bench>} */
  let one;

  before(async () => {
    site = await openSite({ "": DIST });
    session = await openBrowser({ webgpu: false, reducedMotion: "reduce", locale: "en-US" });
    one = bench(session.page, site.url);
    await one.open();
    await one.type(["lion", "tiger"]);
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  /** Another tab, not yet at the site. */
  const tab = async () => bench(await session.browser.newPage(), site.url);

  test("a clock that is set back or ahead loses nothing", async () => {
    for (const year of ["2001", "2099"]) {
      const other = await tab();
      await other.page.clock.setFixedTime(new Date(`${year}-01-01T00:00:00Z`));
      await other.open();
      assert.deepEqual(await other.names(), ["lion", "tiger"]);
      await other.answer();
      const seen = await other.page.evaluate(async () => {
        const { PromptLens } = await import("./pkg/index.js");
        return { now: new Date().toISOString().slice(0, 4), models: (await PromptLens.models.stored()).filter(({ complete }) => complete).length };
      });
      assert.deepEqual(seen, { now: year, models: 1 });
      await other.page.close();
    }
  });

  test("without room the page goes on, keeps what it kept before, and says so", async () => {
    await one.page.evaluate(() => {
      for (const storage of [localStorage, sessionStorage]) {
        for (let size = 1 << 22; size > 0; size >>= 1) {
          try {
            for (let i = 0; ; i += 1) storage.setItem(`full${size}-${i}`, "x".repeat(size));
          } catch {
            // A smaller piece may fit.
          }
        }
      }
    });
    await one.add("a name that is longer than the room that is left");
    await one.page.waitForSelector("#kept:not([hidden])");
    assert.match(await one.said(), /no room/);
    await looks(one.page, "state-kept-no-room");
    assert.equal((await one.names()).length, 3);
    assert.equal((await one.answer()).length, 3);
    await one.reload();
    assert.deepEqual(await one.names(), ["lion", "tiger"]);
    await one.clear();
  });

  test("a browser that stores nothing is no reason to stop", async () => {
    const other = await tab();
    await other.page.addInitScript(() => {
      for (const name of ["localStorage", "sessionStorage", "caches"]) {
        Object.defineProperty(globalThis, name, {
          get() {
            throw new DOMException("It is forbidden.", "SecurityError");
          },
        });
      }
    });
    await other.open();
    await other.type(["church", "ship"]);
    await other.page.waitForSelector("#kept:not([hidden])");
    assert.match(await other.said(), /does not let the page keep/);
    assert.equal((await other.answer()).length, 2);
    await other.page.click("#kept-close");
    assert.equal(await other.said(), "");
    await other.page.close();
  });

  test("what is no record is dropped with a sentence, and of a record only what is wrong", async () => {
    const calibration = { file: "{}", score: "mcm", threshold: 0.5, n: 19, interval: { low: 0, high: 1 }, failures: [] };
    for (const [text, sentence, expected] of [
      ["{", /dropped/, null],
      [record({ names: ["church", "ship"], template: 7 }), /dropped/, ["church", "ship"]],
      // The engine refuses it when it is used.
      [record({ names: ["church", "ship"], calibration }), /calibration .* cannot be used/, ["church", "ship"]],
    ]) {
      await one.put(text);
      await one.reload();
      await one.page.waitForSelector("#kept:not([hidden])");
      assert.match(await one.said(), sentence);
      assert.ok((await one.answer()).length > 1);
      const shown = await one.names();
      if (expected) assert.deepEqual(shown, expected);
      else assert.ok(shown.length > 10);
    }
  });

  test("hostile names that were kept are text", async () => {
    const hostile = ["<img src=x onerror=alert(1)>", "\u202egnp.exe", "=1+1", "a\u0007b"];
    await one.put(record({ names: hostile, template: "{}" }));
    await one.reload();
    assert.deepEqual(await one.names(), hostile);
    assert.equal(await one.page.locator("#chips img").count(), 0);
    assert.equal(await one.said(), "");
  });

  test("a prompt file that is damaged, hostile or gone is dropped with a sentence", async () => {
    const model = await one.page.evaluate(async () => (await (await import("./pkg/index.js")).PromptLens.models.stored())[0].source.sha256);
    const header = JSON.stringify({ __metadata__: { format: "promptlens-prompt", class_names: '["church"]', recipe: "coop", model_sha256: model } });
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
    // What the page can read of a prompt, without a single tensor.
    const hollow = Buffer.concat([length, Buffer.from(header)]);
    const garbage = Buffer.from("no prompt");
    const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
    for (const [bytes, name] of [
      [null, sha256(garbage)],
      [garbage, sha256(garbage)],
      [hollow, sha256(garbage)],
      [hollow, sha256(hollow)],
    ]) {
      await one.page.evaluate(
        async ([content, file]) => {
          const cache = await caches.open("promptlens-work");
          const address = `/promptlens-work-store/prompts/${file}`;
          if (content === null) await cache.delete(address);
          else await cache.put(address, new Response(new Uint8Array(content)));
        },
        [bytes && [...bytes], name],
      );
      await one.put(record({ names: ["church", "ship"], prompt: { sha256: name, used: true } }));
      await one.reload();
      await one.page.waitForSelector("#kept:not([hidden])");
      assert.match(await one.said(), /prompt that was kept here is gone/);
      assert.deepEqual(await one.names(), ["church", "ship"]);
      assert.equal((await one.answer()).length, 2);
      assert.match(await one.page.textContent("#teach-state"), /nothing/);
      await one.promptKept(false);
    }
    await looks(one.page, "state-kept-lost");
  });

  test("a worker that is killed takes nothing that was typed with it", async () => {
    const { page, ...other } = await tab();
    await page.addInitScript(() => {
      const Real = globalThis.Worker;
      globalThis.Worker = class extends Real {
        constructor(...args) {
          super(...args);
          window.worker = this;
        }
      };
    });
    await other.open(`${START}&labels=ship,dog`);
    await other.type(["church", "ship"]);
    const before = await other.answer();
    await page.evaluate(() => {
      // What a browser does with a worker that it has no memory for.
      window.worker.terminate();
      window.worker.dispatchEvent(new ErrorEvent("error", { message: "The worker was killed." }));
    });
    await page.click("[data-sample=church]");
    await page.waitForSelector("#status[data-state=failed]");
    assert.deepEqual(await other.names(), ["church", "ship"]);
    await page.click("#retry");
    await page.waitForFunction(() => document.querySelectorAll(".card[data-state=done]").length === 2);
    const bars = page.locator(".card:last-child .bar");
    assert.deepEqual(await bars.evaluateAll((all) => all.map((bar) => bar.textContent.trim())), before);
    await page.close();
  });
});
