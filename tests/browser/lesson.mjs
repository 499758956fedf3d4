/** Photos to learn from. */
import { shared } from "./harness.mjs";
import { readTar } from "./tar.mjs";

/** So many training photos of every class of an archive. */
export async function lesson(archive, count) {
  // A name may be asked about more than once.
  const taken = new Map();
  const files = await readTar(shared(`data/${archive}.tar.gz`), (name) => {
    const [split, label] = name.split("/").slice(-3);
    const own = taken.get(label) ?? taken.set(label, new Set()).get(label);
    if (split !== "train" || (own.size === count && !own.has(name))) return false;
    own.add(name);
    return true;
  });
  return files.map(({ name, bytes }) => ({ name: name.split("/").at(-1), label: name.split("/").at(-2), bytes }));
}
