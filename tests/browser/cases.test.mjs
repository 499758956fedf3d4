// Files, lists and pages as people really have them, in the package, on the page and in the widget.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DIST, needsShared, openBrowser, openSite, PAGES, shared } from "./harness.mjs";
import { loadPackage, openPlace } from "./support.mjs";

/** Two pictures of the first are the same numbers as of its expected pixels. */
const EXACT = [
  "01_webp_exif_prefix.webp",
  "03_mjpeg_without_huffman_tables.jpg",
  "04_progressive_dc_only.jpg",
  "04_progressive_two_scans.jpg",
  "05_duplicate_component_ids.jpg",
  "06_os2_v2_header.bmp",
  "07_unknown_extension_block.gif",
  "08_frame_beyond_logical_screen.gif",
  "17_webp_exif_orientation_6.webp",
];
/** Lossy WebP is rounded otherwise. */
const NEAR = ["02_webp_exif_flag_without_chunk.webp", "02_webp_xmp_flag_without_chunk.webp"];

const caseFile = async (name, mimeType = "application/octet-stream") => ({ name, mimeType, buffer: await readFile(shared(`fixtures/cases/${name}`)) });
const strip = (text) => text.replace(/[\u2068\u2069]/g, "");

describe("files, lists and pages as people have them", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;
  let page;

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES, cases: shared("fixtures/cases") });
    session = await openBrowser({ webgpu: false, reducedMotion: "reduce" });
    page = session.page;
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  const visit = async (query = "labels=church,ship") => {
    await page.goto(`${site.url}?device=cpu&lang=en&${query}`);
    await page.waitForSelector("#status:is([data-state=ready], [data-state=failed])");
  };
  const names = () => page.locator("#chips .chip-name").allTextContents();
  const text = async (selector) => strip(await page.textContent(selector));

  describe("package", () => {
    before(async () => {
      const loaded = await loadPackage(page, site.url, { model: "../models/mini-vit/", device: "cpu" });
      assert.equal(loaded.message, undefined);
    });

    test("odd image files are the pixels that other programs show", async () => {
      for (const name of [...EXACT, ...NEAR]) {
        const found = await page.evaluate(async (file) => {
          const embed = async (path) => Array.from(await window.lens.embedImage(await (await fetch(path)).blob()));
          try {
            const [own, expected] = [await embed(`../cases/${file}`), await embed(`../cases/${file}.expected.png`)];
            return { same: own.every((value, i) => value === expected[i]), cosine: own.reduce((sum, value, i) => sum + value * expected[i], 0) };
          } catch (error) {
            return { code: error.code, message: error.message };
          }
        }, name);
        assert.equal(found.message, undefined, name);
        if (EXACT.includes(name)) assert.equal(found.same, true, name);
        else assert.ok(found.cosine > 0.9, `${name}: ${found.cosine}`);
      }
    });

    test("archives of other systems are unpacked with their class folders", async () => {
      for (const [name, wanted] of [
        ["09_mac_wherefroms_xattr.tar", ["church", "church", "daisy", "daisy"]],
        ["10_windows_backslashes.zip", ["church", "church", "daisy", "daisy"]],
        ["12_mac_nfd_folder.zip", ["caf\u00e9", "caf\u00e9", "daisy", "daisy"]],
        ["13_one_deeper_file.zip", ["church", "church", "daisy", "daisy", null]],
        ["18_jfif_in_a_zip.zip", ["church", "church", "ship", "ship"]],
      ]) {
        const found = await page.evaluate(async (file) => {
          const blob = await (await fetch(`../cases/${file}`)).blob();
          const files = await window.lens.unpack(new File([blob], file));
          return files.map(({ label, error }) => error?.code ?? label);
        }, name);
        assert.deepEqual(found.sort(), wanted.sort(), name);
      }
    });

    test("archives that are not read are named", async () => {
      for (const [bytes, word] of [["BZh91AY&SY", "bzip2"], ["\u00fd7zXZ\0\0", "xz"], ["7z\u00bc\u00af'\u001c", "7-Zip"], ["Rar!\u001a\u0007", "RAR"]]) {
        const found = await page.evaluate(async (letters) => {
          const file = new File([Uint8Array.from(letters, (c) => c.charCodeAt(0))], "photos");
          return window.lens.unpack(file).then(String, ({ code, message }) => ({ code, message }));
        }, bytes);
        assert.equal(found.code, "data/invalid", word);
        assert.ok(found.message.includes(word) && found.message.includes(".tar.gz"), found.message);
      }
    });

    test("lists of names are read as the command line reads them", async () => {
      for (const [name, wanted] of [
        ["14_id2label.json", { labels: ["tench", "goldfish"], repeated: [] }],
        ["14_imagenet_class_index.json", { labels: ["tench", "goldfish"], repeated: [] }],
        ["14_trailing_comma.json", "labels/file"],
        ["15_same_but_for_case.txt", { labels: ["Ship", "church"], repeated: [["Ship", "ship", "SHIP"]] }],
        ["15_same_but_for_normal_form.txt", { labels: ["caf\u00e9", "church"], repeated: [["caf\u00e9", "caf\u00e9"]] }],
        ["16_description_with_line_break.csv", { labels: ["cat", "dog"], repeated: [] }],
        ["16_excel_ansi.csv", "io/failed"],
        ["16_labels_is_a_string.json", "labels/file"],
      ]) {
        const found = await page.evaluate(async (file) => {
          const blob = await (await fetch(`../cases/${file}`)).blob();
          return window.lens.parseLabels(new File([blob], file)).catch(({ code }) => code);
        }, name);
        assert.deepEqual(found, wanted, name);
      }
    });

    test("typed lists and folders are read by the same rules", async () => {
      const found = await page.evaluate(async () => {
        const typed = (text) => window.lens.parseLabels(text);
        return {
          typed: await typed('ship, "hat, red"\tShip\n\n cafe\u0301 '),
          json: await typed('["a, b", "c"]'),
          none: await typed(" , "),
          folders: await window.lens.classFolders(["all/church/0.jpg", "all/church/1.jpg", "all/cafe\u0301/0.jpg", "all/church/originals/2.jpg", "all/3.jpg"]),
          splits: await window.lens.classFolders(["train/a/0.jpg", "test/a/1.jpg", "test/b/2.jpg"]),
        };
      });
      assert.deepEqual(found, {
        typed: { labels: ["ship", "hat, red", "caf\u00e9"], repeated: [["ship", "Ship"]] },
        json: { labels: ["a, b", "c"], repeated: [] },
        none: { labels: [], repeated: [] },
        folders: ["church", "church", "caf\u00e9", "church", null],
        splits: ["a", "a", "b"],
      });
    });

    test("names with the same token ids are refused together, and a prompt knows both forms", async () => {
      const found = await page.evaluate(async () => {
        const refused = (labels) => window.lens.classes(labels).then(() => null, ({ code, message }) => ({ code, message }));
        const image = await (await fetch("../cases/01_webp_exif_prefix.webp")).blob();
        const classes = await window.lens.classes(["caf\u00e9", "ship"]);
        const examples = [{ image, label: "cafe\u0301" }, { image, label: "ship" }];
        const prompt = await classes.train(examples, { recipe: "tip-adapter", crops: 1, validation: "none" });
        const answer = async (labels) => {
          const own = await window.lens.classes(labels, { prompt });
          const { predictions } = await own.classify(image);
          own.free();
          return predictions.map(({ probability }) => probability);
        };
        const answers = [await answer(["caf\u00e9", "ship"]), await answer(["cafe\u0301", "SHIP"])];
        return { twice: await refused(["Ship", "cat", "ship", "t-shirt", "T - shirt"]), answers };
      });
      assert.equal(found.twice.code, "labels/duplicate");
      assert.ok(found.twice.message.includes('"Ship" = "ship"') && found.twice.message.includes("T - shirt"), found.twice.message);
      assert.deepEqual(found.answers[1], found.answers[0]);
    });
  });

  describe("page", () => {
    test("a WebP is shown as the model sees it", async () => {
      await visit();
      await page.setInputFiles("#files", [await caseFile("17_webp_exif_orientation_6.webp", "image/webp"), await caseFile("17_webp_exif_orientation_6.webp.expected.png", "image/png")]);
      await page.waitForFunction(() => document.querySelectorAll(".card .thumb img").length === 2);
      const shown = await page.evaluate(async () => {
        const pictures = [];
        for (const image of document.querySelectorAll(".card .thumb img")) {
          await image.decode();
          const canvas = document.createElement("canvas");
          [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
          canvas.getContext("2d").drawImage(image, 0, 0);
          pictures.push({ width: canvas.width, height: canvas.height, data: [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data] });
        }
        return pictures;
      });
      const [own, expected] = shown;
      assert.deepEqual([own.width, own.height], [112, 160]);
      assert.deepEqual([own.width, own.height], [expected.width, expected.height]);
      const off = own.data.reduce((most, value, i) => Math.max(most, Math.abs(value - expected.data[i])), 0);
      assert.ok(off <= 1, `the shown picture differs by ${off}`);
    });

    test("all eight turns are shown upright", async () => {
      await page.goto(`${site.url}test/package.html`);
      const bytes = [...(await readFile(shared("fixtures/cases/17_webp_exif_orientation_6.webp")))];
      const found = await page.evaluate(async ([entry, all]) => {
        const { upright } = await import(entry);
        const at = all.length - 26 + 8 + 10;
        const draw = async (blob) => {
          const bitmap = await createImageBitmap(blob);
          const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
          canvas.getContext("2d").drawImage(bitmap, 0, 0);
          return { width: bitmap.width, height: bitmap.height, at: (x, y) => [...canvas.getContext("2d").getImageData(x, y, 1, 1).data].join() };
        };
        const turns = [];
        let stored;
        for (let orientation = 1; orientation <= 8; orientation += 1) {
          const file = Uint8Array.from(all);
          file[at + 1] = orientation;
          const picture = await draw(await upright(new Blob([file])));
          stored ??= picture;
          const { width: w, height: h } = stored;
          // Where the upright pixel (3, 7) lies in the file (EXIF 2.3, tag 0x0112).
          const [x, y] = [3, 7];
          const [fx, fy] = [[x, y], [w - 1 - x, y], [w - 1 - x, h - 1 - y], [x, h - 1 - y], [y, x], [y, h - 1 - x], [w - 1 - y, h - 1 - x], [w - 1 - y, x]][orientation - 1];
          turns.push([picture.width, picture.height, picture.at(x, y) === stored.at(fx, fy)]);
        }
        return turns;
      }, [`${site.url}pkg/upright.js`, bytes]);
      assert.deepEqual(found, Array.from({ length: 8 }, (_, i) => (i < 4 ? [160, 112, true] : [112, 160, true])));
    });

    test("names come from files as people have them, and doubles are told", async () => {
      await visit("labels=one");
      const load = async (file) => page.setInputFiles("#names-file", await caseFile(file));
      const wait = (count) => page.waitForFunction((n) => document.querySelectorAll("#chips .chip").length === n, count);
      await load("14_imagenet_class_index.json");
      await wait(2);
      assert.deepEqual(await names(), ["tench", "goldfish"]);
      assert.ok(await page.isHidden("#names-note"));
      for (const [file, code] of [["14_trailing_comma.json", "labels/file"], ["16_labels_is_a_string.json", "labels/file"], ["16_excel_ansi.csv", "io/failed"]]) {
        await load(file);
        await page.waitForFunction((wanted) => document.querySelector("#names-error:not([hidden]) code")?.textContent === wanted, code);
        assert.deepEqual(await names(), ["tench", "goldfish"], file);
        await load("14_id2label.json");
        await page.waitForSelector("#names-error", { state: "hidden" });
      }
      await load("15_same_but_for_case.txt");
      await page.waitForSelector("#names-note:not([hidden])");
      assert.deepEqual(await names(), ["Ship", "church"]);
      assert.ok((await text("#names-note")).includes("Ship = ship = SHIP"));
      await load("16_description_with_line_break.csv");
      await page.waitForSelector("#names-note", { state: "hidden" });
      assert.deepEqual(await names(), ["cat", "dog"]);
      // What is typed is composed and cleaned alike.
      await page.fill("#name-input", "cafe\u0301, ca\u00adt\u200b");
      await page.press("#name-input", "Enter");
      await wait(3);
      assert.deepEqual(await names(), ["cat", "dog", "caf\u00e9"]);
      // As `--labels` reads it on the command line: a quoted name keeps its comma, and JSON is JSON.
      await page.fill("#name-input", '"hat, red", dog');
      await page.press("#name-input", "Enter");
      await wait(4);
      await page.fill("#name-input", '["tea, green"]');
      await page.press("#name-input", "Enter");
      await wait(5);
      assert.deepEqual(await names(), ["cat", "dog", "caf\u00e9", "hat, red", "tea, green"]);
    });

    const teach = async (file) => page.setInputFiles("#teach-files", await caseFile(file));
    const lesson = () => page.locator("#teach-classes [data-taught]").evaluateAll((all) => all.map((item) => `${item.querySelector(".class-name").textContent} ${parseInt(item.querySelector(".class-count").textContent, 10)}`).sort());

    test("Teach takes archives of other systems", async () => {
      for (const [file, wanted] of [
        ["09_mac_wherefroms_xattr.tar", ["church 2", "daisy 2"]],
        ["10_windows_backslashes.zip", ["church 2", "daisy 2"]],
        ["12_mac_nfd_folder.zip", ["caf\u00e9 2", "daisy 2"]],
        ["13_one_deeper_file.zip", ["church 2", "daisy 2"]],
        ["18_jfif_in_a_zip.zip", ["church 2", "ship 2"]],
      ]) {
        await visit(`labels=${encodeURIComponent("caf\u00e9,church,ship")}`);
        await openPlace(page, "teach");
        await teach(file);
        await page.waitForFunction(() => document.querySelectorAll("#teach-classes [data-taught]").length === 2);
        assert.deepEqual(await lesson(), wanted, file);
        const twice = (await names()).filter((name) => name.normalize() === "caf\u00e9");
        assert.equal(twice.length, 1, file);
      }
    });

    test("Teach takes a folder with one photo deeper than the others", async () => {
      const folder = join(site.folder, "photos of things");
      const jpeg = await readFile(join(DIST, "samples/rocket.jpg"));
      for (const path of ["church/0.jpg", "church/1.jfif", "cafe\u0301/0.jpg", "cafe\u0301/1.jpe", "church/originals/2.jpg"]) {
        await mkdir(join(folder, dirname(path)), { recursive: true });
        await writeFile(join(folder, path), jpeg);
      }
      await visit();
      await openPlace(page, "teach");
      await page.setInputFiles("#teach-folder", folder);
      await page.waitForFunction(() => document.querySelectorAll("#teach-classes [data-taught]").length === 2);
      assert.deepEqual(await lesson(), ["caf\u00e9 2", "church 3"]);
    });

    test("Teach names an archive that it cannot read, and forgets the error with the next", async () => {
      await visit();
      await openPlace(page, "teach");
      await page.setInputFiles("#teach-files", { name: "photos.tar.bz2", mimeType: "application/octet-stream", buffer: Buffer.from("BZh91AY&SY") });
      await page.waitForSelector("#teach-error:not([hidden])");
      assert.equal(await text("#teach-error code"), "data/invalid");
      const told = await page.evaluate(() => {
        const sentence = document.querySelector("#teach-error span");
        return sentence.title || sentence.textContent;
      });
      assert.match(told, /bzip2/);
      await teach("18_jfif_in_a_zip.zip");
      await page.waitForFunction(() => document.querySelectorAll("#teach-classes [data-taught]").length === 2);
      assert.ok(await page.isHidden("#teach-error"));
    });

    test("a folder's address without its slash keeps the settings", async () => {
      const mounted = await openSite({ "": DIST }, { base: "/promptlens/" });
      try {
        await page.goto(`${mounted.url.slice(0, -1)}?device=cpu&lang=en&labels=church,ship`);
        await page.waitForSelector("#status[data-state=ready]");
        assert.deepEqual(await names(), ["church", "ship"]);
      } finally {
        await mounted.close();
      }
    });
  });

  describe("widget", () => {
    const write = async (name) => writeFile(join(site.folder, name), await readFile(shared(`fixtures/cases/${name}`)));

    test("names set as a text are the names, as React 19 and Vue 3 set them", async () => {
      await write("20_react_vue_string_labels.html");
      await page.goto(`${site.url}20_react_vue_string_labels.html`);
      await page.waitForFunction(() => document.title.startsWith("["));
      assert.deepEqual(JSON.parse(await page.title()), ["cat", "dog", "horse"]);
      // What a framework takes back is gone.
      const left = await page.evaluate(() => {
        const element = document.querySelector("prompt-lens");
        Object.assign(element, { labels: null, template: undefined, tune: null, heatmap: undefined, ood: null, model: null });
        return element.getAttributeNames();
      });
      assert.deepEqual(left, ["device"]);
    });

    test("what was changed while it was out of the page answers", async () => {
      await write("21_attributes_changed_while_out.html");
      // The photo that it asks for, of whatever.
      await writeFile(join(site.folder, "samples/ship.jpg"), await readFile(join(DIST, "samples/rocket.jpg")));
      await page.goto(`${site.url}21_attributes_changed_while_out.html`);
      await page.waitForFunction(() => document.title.startsWith("["));
      const [labels, answered] = JSON.parse(await page.title());
      assert.deepEqual(labels, ["horse", "dog"]);
      assert.deepEqual(answered.sort(), ["dog", "horse"]);
      // Another model takes over as well.
      const model = await page.evaluate(async () => {
        const element = document.querySelector("prompt-lens");
        const parent = element.parentNode;
        const before = await element.ready;
        element.remove();
        element.model = new URL("models/none/", location.href).href;
        parent.append(element);
        return element.ready.then((lens) => (lens === before ? "the old one" : "another"), ({ code }) => code);
      });
      assert.notEqual(model, "the old one");
      assert.notEqual(model, "another");
    });

    test("the photo and its heat map agree on what is up", async () => {
      await page.goto(`${site.url}20_react_vue_string_labels.html`);
      await page.waitForFunction(() => customElements.get("prompt-lens"));
      const size = await page.evaluate(async () => {
        const element = document.querySelector("prompt-lens");
        element.labels = ["ship", "church"];
        element.heatmap = true;
        const blob = await (await fetch("cases/17_webp_exif_orientation_6.webp")).blob();
        await element.classify(blob);
        const find = (selector) => element.shadowRoot.querySelector(selector);
        while (!find(".seen canvas")) await new Promise((resolve) => setTimeout(resolve, 50));
        const { naturalWidth, naturalHeight } = find(".seen img");
        const { width, height, top, left } = find(".seen canvas").style;
        return { naturalWidth, naturalHeight, width, height, top, left };
      });
      assert.deepEqual(size, { naturalWidth: 112, naturalHeight: 160, width: "100%", height: "70%", top: "15%", left: "0%" });
    });
  });
});
