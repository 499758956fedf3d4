import { upright } from "../upright.js";

/** Larger pictures are not shown: a browser would decode them whole. */
const MAX_PIXELS = 50e6;

/**
 * A photo as an `<img>` that has loaded, the right way up. The browser decodes it once it is on the page.
 *
 * @param {Blob} file
 * @param {string} name its alternative text
 * @returns {Promise<HTMLImageElement | null>} `null`: the browser cannot show it, or it is too large
 */
export async function preview(file, name) {
  const image = new Image();
  image.alt = name;
  image.decoding = "async";
  const address = URL.createObjectURL(await upright(file));
  const loaded = await new Promise((resolve) => {
    image.addEventListener("load", () => resolve(true));
    image.addEventListener("error", () => resolve(false));
    image.src = address;
  });
  // Revoked before it has loaded, the picture would fail to load, and the browser would complain.
  URL.revokeObjectURL(address);
  return loaded && image.naturalWidth * image.naturalHeight <= MAX_PIXELS ? image : null;
}
