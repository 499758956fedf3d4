// A tenth of a long day: nothing that the engine, the GPU or the page holds grows with the work.
// `node tests/browser/soak.mjs` is the whole of it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { growth, soak } from "./soak.mjs";

describe("long days", { timeout: 1_800_000 }, () => {
  test("200 photos, tunings, trainings and switches of the model hold no more at the end than after the first round", async () => {
    const { rounds, answers } = await soak({ device: "webgpu", scale: 0.1, count: 5, tell: console.log });
    assert.equal(rounds.length, 5);
    const { memory, gpu, handles } = growth(rounds);
    console.log(`memory ${(100 * memory).toFixed(2)} %, GPU buffers ${(100 * gpu).toFixed(2)} %, ${JSON.stringify(handles)}`);
    assert.ok(rounds.every(({ engine, gpu: bytes }) => engine > 1e6 && bytes > 1e6), "the account counts nothing");
    assert.ok(memory < 0.02, `memory grew by ${memory}`);
    assert.ok(gpu < 0.02, `GPU buffers grew by ${gpu}`);
    for (const [name, more] of Object.entries(handles)) assert.ok(more <= 0, `${more} more ${name}`);
    // The same photos have the same answers all day.
    for (const later of answers) assert.deepEqual(later, answers[0]);
  });
});
