// The site as an app: installable, there without a network after one visit, updated when asked, and
// open in several tabs.
import assert from "node:assert/strict";
import { cp, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { precache, siteFiles } from "../../scripts/precache.mjs";
import { DIST, openBrowser, openSite, recordRequests } from "./harness.mjs";
import { looks } from "./looks.mjs";
import { chooseRecipe, openPlace } from "./support.mjs";

const READY = "#status[data-state=ready]";
const ASKED = "?device=cpu&labels=church,parachute,sunflowers";
const PLAIN = "const FILES = {};";

/** A copy of the site whose service worker knows its files, whatever built it. */
async function openApp(options) {
  const site = await openSite({ "": DIST }, options);
  const worker = join(site.folder, "sw.js");
  const source = await readFile(worker, "utf8");
  await writeFile(worker, source.replace(/const FILES = \{[^;]*\};/, PLAIN));
  await precache(site.folder);
  return site;
}

/** Changes a file and publishes that as a new version. */
async function publish(site, path, change) {
  const file = join(site.folder, path);
  await writeFile(file, change(await readFile(file, "utf8")));
  const worker = join(site.folder, "sw.js");
  await writeFile(worker, (await readFile(worker, "utf8")).replace(/const FILES = \{[^;]*\};/, PLAIN));
  await precache(site.folder);
}

/** Waits until the service worker keeps these paths. */
async function keeps(page, paths) {
  for (;;) {
    const kept = await page.evaluate(async () => (await (await caches.open("promptlens-files")).keys()).map(({ url }) => new URL(url).pathname));
    if (paths.every((path) => kept.includes(path))) return;
    await setTimeout(200);
  }
}

/** The same site with one file that takes so many milliseconds. */
async function slowly(site, path, milliseconds) {
  const server = createServer(async (request, response) => {
    if (request.url === path) await setTimeout(milliseconds);
    try {
      const answer = await fetch(new URL(request.url, site));
      response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
      response.end(Buffer.from(await answer.arrayBuffer()));
    } catch {
      // The site behind it is closed already.
      response.destroy();
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}

const answered = (page, count) => page.waitForFunction((n) => document.querySelectorAll(".card[data-state=done]").length === n, count);

test("the build lists every file that a visit needs, and no weights to install", async () => {
  const files = await siteFiles(DIST);
  const shell = Object.keys(files).filter((path) => files[path][1] === "shell");
  for (const path of ["index.html", "app.js", "i18n/zh.js", "pkg/worker.js", "pkg/promptlens.js", "manifest.webmanifest", "icons/192.png", "samples/rocket.jpg"]) {
    assert.ok(shell.includes(path), path);
  }
  assert.deepEqual(shell.filter((path) => /safetensors|\.wasm$|^models\//.test(path)), []);
  assert.deepEqual(Object.keys(files).filter((path) => path.startsWith("models/")), ["models/mini/README.md", "models/mini/labels.json"]);
  assert.equal(files["models/mini/README.md"][1], "document");
  assert.equal(files["pkg/promptlens_bg.wasm"][1], "later");
  assert.ok(!("sw.js" in files));
});

test("the manifest makes it installable", async () => {
  const manifest = JSON.parse(await readFile(join(DIST, "manifest.webmanifest"), "utf8"));
  const size = async (src) => {
    const bytes = await readFile(join(DIST, src));
    assert.equal(bytes.toString("latin1", 1, 4), "PNG", src);
    return `${bytes.readUInt32BE(16)}x${bytes.readUInt32BE(20)}`;
  };
  for (const field of ["name", "short_name", "id", "start_url", "scope", "display", "theme_color", "background_color", "description", "lang"]) assert.ok(manifest[field], field);
  for (const picture of [...manifest.icons, ...manifest.screenshots].filter(({ type }) => type === "image/png")) {
    assert.equal(await size(picture.src), picture.sizes, picture.src);
  }
  const sizes = manifest.icons.map(({ sizes: each, purpose }) => [each, purpose]);
  for (const want of [["192x192", undefined], ["512x512", undefined], ["512x512", "maskable"]]) {
    assert.ok(sizes.some((each) => each[0] === want[0] && each[1] === want[1]), want.join());
  }
  assert.deepEqual(new Set(manifest.screenshots.map(({ form_factor: form }) => form)), new Set(["wide", "narrow"]));
  assert.equal(manifest.share_target.method, "POST");
  assert.ok(manifest.file_handlers[0].accept["image/jpeg"].includes(".jpg"));
});

describe("offline", { timeout: 900_000 }, () => {
  let site;
  let session;
  let page;

  before(async () => {
    site = await openApp({ base: "/app/" });
    session = await openBrowser({ webgpu: false, serviceWorkers: "allow", locale: "en-US", reducedMotion: "reduce" });
    page = session.page;
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  test("Chromium finds nothing that is in the way of installing", async () => {
    await page.goto(`${site.url}${ASKED}`);
    await page.waitForSelector(READY);
    const devtools = await session.browser.newCDPSession(page);
    const { installabilityErrors } = await devtools.send("Page.getInstallabilityErrors");
    // A test's profile has no window to install into.
    assert.deepEqual(installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito"), []);
    const { errors } = await devtools.send("Page.getAppManifest");
    assert.deepEqual(errors, []);
    // A second session would undo what the first one emulates.
    await devtools.detach();
  });

  test("installing asks the browser to keep what is stored", async () => {
    const asked = await page.evaluate(() => {
      let count = 0;
      const real = StorageManager.prototype.persist;
      StorageManager.prototype.persist = function persist() {
        count += 1;
        return real.call(this);
      };
      dispatchEvent(new Event("appinstalled"));
      StorageManager.prototype.persist = real;
      return count;
    });
    assert.equal(asked, 1);
    assert.ok(await page.locator("#install").isHidden());
  });

  test("after one visit everything works without a network, and the weights are kept once", async () => {
    // A service worker that came late to a slow machine keeps the engine after the page has used it.
    await keeps(page, ["/app/pkg/promptlens_bg.wasm"]);
    const kept = await page.evaluate(async () => {
      const cache = await caches.open("promptlens-files");
      const { PromptLens } = await import("./pkg/index.js");
      return { files: (await cache.keys()).map(({ url }) => new URL(url).pathname), models: await PromptLens.models.stored() };
    });
    assert.ok(kept.files.includes("/app/pkg/promptlens_bg.wasm"), "the engine was not kept");
    assert.deepEqual(kept.files.filter((path) => path.startsWith("/app/models/")).sort(), ["/app/models/mini/README.md", "/app/models/mini/labels.json"]);
    assert.deepEqual(kept.models.map(({ name, complete }) => [name, complete]), [["mini", true]]);
    const online = await classify();

    await session.browser.setOffline(true);
    await site.close();
    await page.reload();
    await page.waitForSelector(READY);
    assert.deepEqual(await classify(), online);
    assert.ok(await page.locator("#network").isVisible());
    // Tuning, another language, a heat map.
    await page.click("#tune > summary");
    await page.check("input[name=tune][value=tpt]");
    await page.check("input[name=views][value='16']");
    await page.waitForSelector(".tuned-sentence");
    await page.selectOption("#language", "zh");
    await page.waitForFunction(() => document.documentElement.lang === "zh-Hans");
    await page.click(".where");
    await page.waitForSelector(".heat-map:not([hidden])");
    await page.selectOption("#language", "en");
    await page.check("input[name=tune][value=none]");
    await answered(page, 1);

    async function classify() {
      await page.click("[data-sample=rocket]");
      await answered(page, 1);
      return page.locator(".bar-value").allTextContents();
    }
  });

  test("without a network the page still tells about its model, beside the photos", async () => {
    const cards = await page.locator(".card").count();
    assert.ok(cards > 0);
    const [about] = await Promise.all([page.waitForEvent("popup"), page.click("footer a[data-part=model]")]);
    await about.waitForSelector("main h1");
    assert.match(await about.textContent("main"), /promptlens-mini: the built-in model/);
    await about.close();
    assert.equal(await page.locator(".card").count(), cards);
  });

  test("without a network a prompt is learned, answers, and leaves as a file", async () => {
    const plain = await page.locator(".bar-value").allTextContents();
    await openPlace(page, "teach");
    for (const name of ["church", "parachute", "sunflower"]) {
      await page.selectOption("#teach-class", name === "sunflower" ? "sunflowers" : name);
      await page.setInputFiles("#teach-files", join(DIST, `samples/${name}.jpg`));
    }
    await page.waitForFunction(() => document.querySelectorAll("#teach-classes [data-taught]").length === 3);
    await chooseRecipe(page, "taskres");
    await page.selectOption("#teach-check", "none");
    await page.fill("#teach-epochs", "20");
    await page.click("#teach-start");
    await page.waitForSelector("#teach-result:not([hidden])");
    assert.match(await page.textContent("#teach-report"), /^taskres learned from 3 photos/);
    await page.click("#teach-use");
    await page.waitForFunction(
      (old) => document.querySelector(".card[data-state=done]") && [...document.querySelectorAll(".bar-value")].map((one) => one.textContent).join() !== old,
      plain.join(),
    );
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#teach-save")]);
    assert.ok((await readFile(await download.path())).includes("promptlens-prompt"));
  });

  test("what the browser deletes while there is no network is said, and all else is there", async () => {
    const shown = () => page.locator("#chips .chip-name").allTextContents();
    const names = await shown();
    await page.reload();
    await page.waitForSelector(READY);
    assert.match(await page.textContent("#teach-state"), /taskres/);
    await page.evaluate(() => caches.delete("promptlens-work"));
    await page.reload();
    await page.waitForSelector(READY);
    await page.waitForSelector("#kept:not([hidden])");
    assert.match(await page.textContent("#kept-text"), /prompt that was kept here is gone/);
    assert.deepEqual(await shown(), names);
    await openPlace(page, "look");
    await page.click("[data-sample=rocket]");
    await answered(page, 1);
    await page.evaluate(async () => (await navigator.storage.getDirectory()).removeEntry("promptlens", { recursive: true }));
    await page.reload();
    await page.waitForSelector("#status[data-state=failed]");
    assert.ok((await page.textContent("#status-error-message")).length > 20);
    assert.deepEqual(await shown(), names);
  });
});

describe("app", { timeout: 900_000 }, () => {
  let site;
  let session;
  let page;

  before(async () => {
    site = await openApp();
    session = await openBrowser({ webgpu: false, serviceWorkers: "allow", locale: "en-US", reducedMotion: "reduce" });
    page = session.page;
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  test("a photo that another app shares arrives once", async () => {
    await page.goto(`${site.url}${ASKED}`);
    await page.waitForSelector(READY);
    // The system posts a form to the share target; a page beside the app does the same here.
    await writeFile(join(site.folder, "sharing.html"), '<!doctype html><form action="share" method="post" enctype="multipart/form-data"><input type="file" name="photos" multiple></form>');
    await page.goto(`${site.url}sharing.html`);
    await page.setInputFiles("input", [join(DIST, "samples/rocket.jpg"), join(DIST, "samples/church.jpg")]);
    await page.evaluate(() => document.forms[0].submit());
    await page.waitForURL(/shared/);
    await page.waitForSelector(".card");
    assert.deepEqual((await page.locator(".card .file").allTextContents()).sort(), ["church.jpg", "rocket.jpg"]);
    await page.reload();
    await page.waitForSelector(READY);
    assert.equal(await page.locator(".card").count(), 0);
  });

  test("installed, it is opened with the files that the file manager hands over", async () => {
    const devtools = await session.browser.newCDPSession(page);
    const { appId: manifestId } = await devtools.send("Page.getAppId");
    await devtools.send("PWA.install", { manifestId });
    try {
      const opened = session.browser.waitForEvent("page");
      await devtools.send("PWA.launchFilesInApp", { manifestId, files: [join(DIST, "samples/rocket.jpg"), join(DIST, "samples/church.jpg")] });
      const app = await opened;
      await answered(app, 2);
      assert.deepEqual((await app.locator(".card .file").allTextContents()).sort(), ["church.jpg", "rocket.jpg"]);
      await app.close();
    } finally {
      await devtools.send("PWA.uninstall", { manifestId });
      await devtools.detach();
    }
  });

  test("a new version waits until it is wanted, keeps the weights, and tells the other tab", async () => {
    const second = await session.browser.newPage();
    await second.goto(`${site.url}${ASKED}`);
    await second.waitForSelector(READY);
    await page.goto(`${site.url}${ASKED}`);
    await page.waitForSelector(READY);
    await publish(site, "index.html", (text) => text.replace("<h1>promptlens</h1>", "<h1>promptlens 2</h1>"));

    const requests = recordRequests(session.browser);
    await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
    await page.waitForSelector("#notice:not([hidden])");
    assert.equal(await page.textContent("h1"), "promptlens");
    await looks(page, "state-update");
    await page.reload();
    await page.waitForSelector(READY);
    assert.equal(await page.textContent("h1"), "promptlens", "a reload mixed two versions");
    await page.waitForSelector("#notice:not([hidden])");
    await page.locator("#name-input").pressSequentially("lighthouse,");
    await Promise.all([page.waitForEvent("load"), page.click("#update")]);
    await page.waitForSelector(READY);
    assert.equal(await page.textContent("h1"), "promptlens 2");
    assert.equal(await page.locator("#chips .chip-name").last().textContent(), "lighthouse", "what was typed is lost");
    await second.waitForSelector("#notice:not([hidden])");
    assert.match(await second.textContent("#notice-text"), /another tab/);
    await looks(second, "state-updated-elsewhere");
    // The tab that was not asked still answers.
    await second.click("[data-sample=rocket]");
    await answered(second, 1);
    const kept = await page.evaluate(async () => {
      const cache = await caches.open("promptlens-files");
      return (await cache.keys()).filter(({ url }) => url.includes("index.html")).length;
    });
    assert.equal(kept, 1, "old versions stay behind");
    // What did not change is not fetched again.
    const fetched = requests.map((url) => new URL(url).pathname).filter((path) => path.endsWith("model.safetensors"));
    const network = await page.evaluate(() => performance.getEntriesByType("resource").filter(({ transferSize }) => transferSize > 0).map(({ name }) => name));
    assert.deepEqual(network, [], `${fetched.length} requests for the weights`);
    await second.close();
  });

  test("a service worker that comes late keeps what was used before it", async () => {
    const other = await openApp();
    const slow = await slowly(other.url, "/icons/512.png", 30_000);
    try {
      await page.goto(`${slow.url}${ASKED}`);
      await page.waitForSelector(READY);
      assert.ok(await page.evaluate(() => navigator.serviceWorker.controller === null), "it came in time");
      await keeps(page, ["/pkg/promptlens_bg.wasm", "/models/mini/labels.json"]);
    } finally {
      await slow.close();
      await other.close();
    }
  });

  test("a host that turns documents into something else still has an app to install", async () => {
    const other = await openApp();
    try {
      await writeFile(join(other.folder, "models/mini/README.md"), "<!doctype html><title>Rendered</title>");
      await page.goto(`${other.url}${ASKED}`);
      await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
      const kept = await page.evaluate(async () => {
        const cache = await caches.open("promptlens-files");
        return (await cache.keys()).map(({ url }) => new URL(url).pathname);
      });
      assert.ok(kept.includes("/app.js"), kept.join());
      assert.deepEqual(kept.filter((path) => path.endsWith(".md")), []);
    } finally {
      await other.close();
    }
  });

  test("a file of another version is never kept", async () => {
    const other = await openApp();
    try {
      // The host is in the middle of publishing: one file is ahead of the service worker's list.
      await cp(join(other.folder, "app.js"), join(other.folder, "app.old"));
      await writeFile(join(other.folder, "app.js"), `${await readFile(join(other.folder, "app.js"), "utf8")}\n`);
      await page.goto(`${other.url}${ASKED}`);
      await page.waitForSelector(READY);
      const state = await page.evaluate(async () => {
        const registration = await navigator.serviceWorker.getRegistration();
        const cache = await caches.open("promptlens-files");
        return { active: Boolean(registration?.active), kept: (await cache.keys()).filter(({ url }) => url.includes("/app.js")).length };
      });
      assert.deepEqual(state, { active: false, kept: 0 });
    } finally {
      await other.close();
    }
  });
});
