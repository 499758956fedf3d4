/** The site on this device: its service worker, updates, installing, and whether there is a network. */
import { setMessage } from "../ui/i18n.js";

const notice = document.getElementById("notice");
const text = document.getElementById("notice-text");
const update = document.getElementById("update");
const install = document.getElementById("install");
const network = document.getElementById("network");

/** Longest that loading waits for the service worker of a first visit. */
const PATIENCE_MS = 3000;

/**
 * Starts the service worker, and settles once it controls the page, so that everything loaded from then on
 * is there offline. Also settles if there is none, or if it takes too long; it is then asked to keep what
 * was loaded before.
 */
export async function keepOffline() {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  // On a first visit there is no older version to replace.
  const known = serviceWorker.controller !== null;
  let registration;
  try {
    registration = await serviceWorker.register("sw.js", { updateViaCache: "none" });
  } catch {
    // A browser or a host that forbids it: the site works, online.
    return;
  }
  if (!registration) return;
  watch(registration, serviceWorker, known);
  if (known) return;
  let late = false;
  const seen = controlled(serviceWorker).then(() => late && serviceWorker.controller.postMessage("keep"));
  await Promise.race([seen, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
  late = true;
}

const controlled = (serviceWorker) =>
  new Promise((resolve) => {
    if (serviceWorker.controller) resolve();
    else serviceWorker.addEventListener("controllerchange", resolve, { once: true });
  });

/** Offers a new version once it is there, and reloads if this tab asked for it. */
function watch(registration, serviceWorker, known) {
  let asked = false;
  const offer = () => {
    if (!registration.waiting || !serviceWorker.controller) return;
    setMessage(text, "offline.update");
    notice.hidden = false;
  };
  offer();
  registration.addEventListener("updatefound", () => {
    registration.installing?.addEventListener("statechange", offer);
  });
  update.addEventListener("click", () => {
    asked = true;
    if (registration.waiting) registration.waiting.postMessage("update");
    else location.reload();
  });
  serviceWorker.addEventListener("controllerchange", () => {
    if (asked) location.reload();
    else if (known) {
      // Another tab has taken the new version; this one keeps its photos until it is reloaded.
      setMessage(text, "offline.updated");
      notice.hidden = false;
    }
    known = true;
  });
}

/** The browser's offer to install the site, once it can be. @type {Event & {prompt: () => Promise<unknown>} | null} */
let offer = null;

addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  offer = event;
  install.hidden = false;
});
install.addEventListener("click", async () => {
  install.hidden = true;
  await offer?.prompt();
  offer = null;
});
addEventListener("appinstalled", () => {
  install.hidden = true;
  void navigator.storage?.persist?.();
});

function showNetwork() {
  network.hidden = navigator.onLine;
}
addEventListener("online", showNetwork);
addEventListener("offline", showNetwork);
showNetwork();
