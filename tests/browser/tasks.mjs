/**
 * How much of its time a page cannot react in. One slow task says little when two tests share two
 * cores, so no test holds a single task to a time; a computation that moved into the page would fill
 * nearly all of it.
 */
import assert from "node:assert/strict";

/** The largest share of the time that may pass in long tasks, which are those of 50 ms or more. */
const MOST = 0.5;

/** From now on the page's long tasks are noted. */
export const watchTasks = (page) =>
  page.evaluate(() => {
    window.tasks = { from: performance.now(), long: [] };
    window.tasksSeen ??= new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) {
        if (startTime >= window.tasks.from) window.tasks.long.push(duration);
      }
    });
    window.tasksSeen.observe({ type: "longtask" });
  });

/** Fails when the page was busy for much of the time since `watchTasks`. */
export async function assertResponsive(page, what) {
  const { long, elapsed } = await page.evaluate(() => ({ long: window.tasks.long, elapsed: performance.now() - window.tasks.from }));
  const busy = long.reduce((sum, ms) => sum + ms, 0);
  console.log(`${what}: ${long.length} long tasks, ${busy.toFixed(0)} of ${elapsed.toFixed(0)} ms, the longest ${Math.max(0, ...long).toFixed(0)} ms`);
  assert.ok(busy < MOST * elapsed, `${what}: the page was busy for ${busy.toFixed(0)} of ${elapsed.toFixed(0)} ms`);
}
