// Every crate that ships is in the documents of what ships, with its licence.
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { crates, licensesByDeny, licenseList, sbom, SHIPPED } from "./sbom.mjs";

for (const what of Object.keys(SHIPPED)) {
  test(`every crate of ${what} is listed with a licence and a checksum`, async () => {
    const [made, byDeny, toBuild] = await Promise.all([sbom(what), licensesByDeny(SHIPPED[what]), crates(SHIPPED[what], "normal,build")]);
    assert.deepEqual([made.bomFormat, made.specVersion, made.metadata.component.name], ["CycloneDX", "1.5", "promptlens"]);
    const listed = new Map(made.components.map((part) => [`${part.name} ${part.version}`, part]));
    assert.equal(listed.size, made.components.length, "a part is listed twice");
    for (const { name, version, licenses, hashes } of made.components) {
      assert.match(licenses[0].expression ?? licenses[0].license.name, /\w/, name);
      assert.match(hashes[0].content, /^[0-9a-f]{64}$/, `${name} ${version}`);
    }
    for (const name of ["burn", "tokenizers", "safetensors", "image"]) assert.ok(made.components.some((part) => part.name === name), name);
    // cargo-deny walks the same graph by itself, with what is only needed to build.
    assert.deepEqual([...toBuild.keys()].sort(), [...byDeny.keys()].sort());
    for (const [key] of listed) if (!key.endsWith(" undefined")) assert.ok(byDeny.has(key), `${key} is not known to cargo-deny`);
    const linked = await crates(SHIPPED[what], "normal,no-proc-macro");
    assert.deepEqual([...linked.keys()].slice(1).filter((key) => !listed.has(key)), []);
    const known = new Set([made.metadata.component, ...made.components].map((part) => part["bom-ref"]));
    for (const { ref, dependsOn } of made.dependencies) for (const each of [ref, ...dependsOn]) assert.ok(known.has(each), each);
    const lines = licenseList(made).trimEnd().split("\n");
    assert.equal(lines.length, made.components.length);
    assert.ok(lines.every((line) => /^[^\t]+\t\S/.test(line)));
  });
}

test("the models beside the page are listed", async () => {
  const { components } = await sbom("web");
  const names = components.filter(({ type }) => type === "machine-learning-model").map(({ name }) => name);
  const folders = await readdir(new URL("../www/models", import.meta.url), { withFileTypes: true });
  assert.deepEqual(names.sort(), folders.filter((entry) => entry.isDirectory()).map(({ name }) => name).sort());
});
