// What people type for a model, as one table: package, widget and page read it by the same function.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hubName, readName } from "../../pkg/source/name.js";

const B32 = "openai/clip-vit-base-patch32";

/** Text, and the name by which it is known from then on. */
const HUB = [
  [`hf:${B32}`, `hf:${B32}`],
  [`HF:${B32}`, `hf:${B32}`],
  [`hf: ${B32}/`, `hf:${B32}`],
  [`  hf:${B32}\n`, `hf:${B32}`],
  [`hf://${B32}`, `hf:${B32}`],
  [`hf:${B32}@main`, `hf:${B32}`],
  [`hf:${B32}@refs/pr/66`, `hf:${B32}@refs/pr/66`],
  [`hf:${B32}@c237dc49a33fc61debc9276459120b7eac67e7ef`, `hf:${B32}@c237dc49a33fc61debc9276459120b7eac67e7ef`],
  ["hf:sentence-transformers/clip-ViT-B-32/0_CLIPModel", "hf:sentence-transformers/clip-ViT-B-32/0_CLIPModel"],
  ["hf:owner/name/a/b@v1.0", "hf:owner/name/a/b@v1.0"],
  [`https://huggingface.co/${B32}`, `hf:${B32}`],
  [`https://huggingface.co/${B32}/`, `hf:${B32}`],
  [`HTTPS://HuggingFace.co/${B32}`, `hf:${B32}`],
  [`http://www.huggingface.co/${B32}?library=transformers#usage`, `hf:${B32}`],
  [`huggingface.co/${B32}`, `hf:${B32}`],
  [`https://hf.co/${B32}`, `hf:${B32}`],
  [`hf.co/${B32}`, `hf:${B32}`],
  [`hf:https://huggingface.co/${B32}`, `hf:${B32}`],
  [`https://huggingface.co/${B32}/tree/main`, `hf:${B32}`],
  [`https://huggingface.co/${B32}/tree/refs%2Fpr%2F66`, `hf:${B32}@refs/pr/66`],
  [`https://huggingface.co/${B32}/tree/refs/pr/66`, `hf:${B32}@refs/pr/66`],
  [`https://huggingface.co/${B32}/blob/main/config.json`, `hf:${B32}`],
  [`https://huggingface.co/${B32}/resolve/main/model.safetensors?download=true`, `hf:${B32}`],
  [`https://huggingface.co/${B32}/discussions/3`, `hf:${B32}`],
  ["https://huggingface.co/owner/name/tree/main/0_CLIPModel", "hf:owner/name/0_CLIPModel"],
  ["https://huggingface.co/owner/name/blob/v2/0_CLIPModel/config.json", "hf:owner/name/0_CLIPModel@v2"],
];

const ADDRESSES = [
  "./models/mini/",
  "../models/mini",
  "/models/mini/",
  "model",
  "models/mini/",
  "./owner/name",
  "owner/name/deeper",
  "https://example.org/models/mini/",
  "https://example.org/huggingface.co/owner/name",
  "https://huggingface.com/owner/name",
  "http://127.0.0.1:8080/mini",
  "files/a.b/c d/",
  "",
];

const REFUSED = [
  "hf:",
  "hf:name",
  "hf:../etc",
  "hf:owner/..",
  "hf:owner/name/../..",
  "hf:owner/name@../x",
  "hf:owner/name@",
  "hf:owner/na me",
  "hf:owner/name?x=1",
  "https://huggingface.co",
  "https://huggingface.co/openai",
  "https://huggingface.co/datasets/owner/name",
  "https://huggingface.co/spaces/owner/name",
  "https://huggingface.co/owner/name/tree",
  "https://huggingface.co/owner/name/unknown/x",
  "https://huggingface.co/owner/%",
  `hf:${"x".repeat(5000)}`,
];

test("a repository of the hub is known in every form that people type", () => {
  for (const [typed, name] of HUB) {
    const { kind, reference } = readName(typed);
    assert.deepEqual([typed, kind, hubName(reference)], [typed, "hub", name]);
    assert.deepEqual(readName(hubName(reference)).reference, reference);
  }
});

test("addresses stay addresses", () => {
  for (const typed of ADDRESSES) assert.deepEqual(readName(` ${typed} `), { kind: "address", address: typed });
});

test("owner/name alone may be a repository or a folder", () => {
  for (const typed of [B32, "models/mini", " laion/CLIP-ViT-B-32 "]) {
    const { kind, reference } = readName(typed);
    assert.deepEqual([kind, reference.repository], ["bare", typed.trim()]);
  }
});

test("what names no repository is refused with the forms that do", () => {
  for (const typed of REFUSED) {
    assert.throws(
      () => readName(typed),
      (error) => error.code === "options/invalid" && error.message.includes("hf:owner/name") && error.message.length < 300,
      typed,
    );
  }
});
