// The built page in Chromium on WebGPU, as a person uses it.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { cli, DIST, needsShared, openBrowser, openSite } from "./harness.mjs";
import { looks } from "./looks.mjs";
import { badFiles, comparePredictions, LABELS, photo, TEMPLATE } from "./support.mjs";

describe("page", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;
  let page;

  before(async () => {
    site = await openSite({ "": DIST });
    session = await openBrowser({ reducedMotion: "reduce" });
    page = session.page;
    await page.goto(`${site.url}?device=webgpu`);
    await page.waitForSelector("#status:is([data-state=ready], [data-state=failed])");
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  afterEach(async () => {
    if (await page.locator("#clear").isVisible()) await page.click("#clear");
  });

  const settled = (count) =>
    page.waitForFunction(
      (n) => document.querySelectorAll(".card:not([data-state=waiting])").length === n && !document.querySelector(".card[data-state=waiting]"),
      count,
    );
  const bars = async (card) => {
    if (await card.locator(".more[aria-expanded=false]").isVisible()) await card.locator(".more").click();
    return card.locator(".bar").evaluateAll((rows) =>
      rows.map((row) => ({
        label: row.querySelector(".bar-label").textContent,
        probability: parseFloat(row.querySelector(".bar-value").textContent) / 100,
      })),
    );
  };

  test("starts with the model's own names, on WebGPU", async () => {
    assert.equal(await page.textContent("#status-error-message"), "");
    assert.match(await page.textContent("#status-text"), /^Ready on WebGPU: google\/swiftshader$/);
    const own = await (await fetch(`${site.url}models/mini/labels.json`)).json();
    assert.deepEqual(await page.locator(".chip-name").allTextContents(), own);
  });

  test("answers an uploaded photo as the command line does", async () => {
    const church = await photo("imagenette", "test/church/");
    await page.click("#names-clear");
    await page.fill("#name-input", "");
    for (const label of LABELS) {
      await page.locator("#name-input").pressSequentially(label);
      await page.keyboard.press("Enter");
    }
    assert.deepEqual(await page.locator(".chip-name").allTextContents(), LABELS);
    await page.setInputFiles("#files", church);
    await settled(1);

    const file = join(site.folder, church.name);
    await writeFile(file, church.buffer);
    const model = join(DIST, "models/mini");
    const answer = await cli("classify", "--model", model, "--device", "cpu", "--labels", LABELS.join(","), "--template", TEMPLATE, file);
    const card = page.locator(".card");
    comparePredictions(assert, await bars(card), answer.results[0].predictions, 0.01);
    assert.match(await card.locator(".ran").textContent(), /^ran on WebGPU: google\/swiftshader/);
  });

  test("a file that cannot be used is explained beside those that can", async () => {
    const good = await photo("imagenette", "test/parachute/");
    const [, , , , [, cut]] = await badFiles();
    await page.evaluate(() => {
      window.said = [];
      new MutationObserver((records) => {
        for (const { addedNodes } of records) for (const node of addedNodes) window.said.push(node.textContent);
      }).observe(document.getElementById("announcer"), { childList: true });
    });
    await page.setInputFiles("#files", [{ name: "cut.jpg", mimeType: "image/jpeg", buffer: cut }, { ...good, name: "whole.jpg" }]);
    await settled(2);
    const [first, second] = await page.locator(".card").all();
    assert.equal(await first.getAttribute("data-state"), "failed");
    assert.equal(await first.locator(".problem code").textContent(), "image/truncated");
    assert.equal(await second.getAttribute("data-state"), "done");
    const said = await page.evaluate(() => window.said);
    assert.equal(said.filter((line) => line.startsWith("whole.jpg: ")).length, 1);
    assert.equal(said.filter((line) => line.startsWith("cut.jpg: ")).length, 1);
  });

  test("looks right from phone to desktop, light and dark", async () => {
    const [, text] = await badFiles();
    await page.setInputFiles("#files", [
      { ...(await photo("imagenette", "test/church/")), name: "church.jpg" },
      { ...(await photo("flowers", "test/sunflowers/")), name: "a field of sunflowers.jpg" },
      { name: "notes.jpg", mimeType: "image/jpeg", buffer: text[1] },
    ]);
    await settled(3);
    await looks(page, "page");
  });

  test("takes a dropped and a pasted photo", async () => {
    const horse = await photo("cifar10", "test/horse/");
    const send = (kind, name) =>
      page.evaluate(
        ([type, fileName, base64]) => {
          const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
          const data = new DataTransfer();
          data.items.add(new File([bytes], fileName, { type: "image/jpeg" }));
          const common = { bubbles: true, cancelable: true };
          const event =
            type === "drop"
              ? new DragEvent("drop", { ...common, dataTransfer: data })
              : new ClipboardEvent("paste", { ...common, clipboardData: data });
          document.body.dispatchEvent(event);
        },
        [kind, name, horse.buffer.toString("base64")],
      );
    await send("drop", "dropped.jpg");
    await send("paste", "pasted.jpg");
    await settled(2);
    assert.deepEqual(await page.locator(".file").allTextContents(), ["pasted.jpg", "dropped.jpg"]);
    const [one, two] = await page.locator(".card").all();
    assert.deepEqual(await bars(one), await bars(two));
  });

  test("works by keyboard alone", async () => {
    await page.reload();
    await page.waitForSelector("#status[data-state=ready]");
    const order = [];
    while (order.at(-1) !== "names-mode" && order.length < 40) {
      await page.keyboard.press("Tab");
      order.push(await page.evaluate(() => document.activeElement.id || document.activeElement.dataset.sample || ""));
    }
    const places = ["language", "files", "folder", "sunflower", "names-mode"].map((id) => order.indexOf(id));
    assert.ok(!places.includes(-1), order.join());
    assert.deepEqual(places, [...places].sort((a, b) => a - b), order.join());
    await page.keyboard.press("Tab");
    const before = await page.locator(".chip").count();
    await page.keyboard.press("Enter");
    assert.equal(await page.locator(".chip").count(), before - 1);
    assert.ok(await page.evaluate(() => document.activeElement.matches(".chip-remove")), "focus stays in the list");
  });

  test("names and template that cannot be used are explained at their field", async () => {
    await page.click("#names-clear");
    await page.waitForSelector("#names-error:not([hidden])");
    assert.equal(await page.textContent("#names-error code"), "labels/empty");
    await page.click("#names-mode");
    await page.fill("#names-area", "cat\ndog\ncat");
    await page.waitForFunction(() => document.querySelector("#names-error code").textContent === "labels/duplicate");
    await page.fill("#names-area", "cat\n<img src=x onerror=alert(1)>\n<|endoftext|>");
    await page.waitForSelector("#names-error", { state: "hidden" });
    await page.fill("#template", "a photo");
    await page.waitForSelector("#template-error:not([hidden])");
    assert.equal(await page.textContent("#template-error code"), "prompt/invalid-template");
    await page.fill("#template", "a photo of a {}.");
    await page.waitForSelector("#template-error", { state: "hidden" });
    await page.setInputFiles("#files", await photo("cifar10", "test/dog/"));
    await settled(1);
    const labels = (await bars(page.locator(".card"))).map(({ label }) => label);
    assert.deepEqual(labels.sort(), ["<img src=x onerror=alert(1)>", "<|endoftext|>", "cat"]);
  });
});
