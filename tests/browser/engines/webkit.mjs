/** WebKitGTK's MiniBrowser under Xvfb, over WebDriver: it has no headless mode, and no library drives Debian's. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

/** The driver; scripts/lib.sh finds one on this machine and names it. It starts the MiniBrowser beside it. */
export const PROGRAM = process.env.PROMPTLENS_WEBKIT ?? "/usr/bin/WebKitWebDriver";

/**
 * Opens a MiniBrowser with an empty profile. It has no WebGPU.
 *
 * @param {{patience: number}} options milliseconds for one step
 */
export async function open({ patience }) {
  const started = [];
  const close = async () => {
    for (const program of started.reverse()) {
      if (program.exitCode !== null || program.signalCode !== null) continue;
      program.kill();
      await once(program, "exit");
    }
  };
  try {
    const screen = await start(started, "Xvfb", ["-displayfd", "3", "-screen", "0", "1280x900x24", "-nolisten", "tcp"], {
      stdio: ["ignore", "ignore", "ignore", "pipe"],
    });
    const [display] = await once(screen.stdio[3], "data");
    const port = await freePort();
    await start(started, PROGRAM, [`--port=${port}`], {
      stdio: "ignore",
      env: { ...process.env, DISPLAY: `:${String(display).trim()}` },
    });
    const driver = `http://127.0.0.1:${port}`;
    await ready(driver);
    const { sessionId, capabilities } = await ask("POST", `${driver}/session`, {
      capabilities: { alwaysMatch: { timeouts: { script: patience, pageLoad: patience } } },
    });
    const session = `${driver}/session/${sessionId}`;
    return {
      page: pageOf(session),
      version: capabilities.browserVersion,
      async close() {
        // Ends the browser; the driver alone would leave it.
        await ask("DELETE", session).catch(() => {});
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The part of Playwright's page that tests of several engines use. */
function pageOf(session) {
  return {
    goto: (url) => ask("POST", `${session}/url`, { url }),
    async evaluate(work, argument) {
      // An error loses its message on the way through the protocol unless it is told as a value.
      const script = `const done = arguments[arguments.length - 1];
Promise.resolve().then(() => (${work})(arguments[0])).then(
  (value) => done({ value }),
  (error) => done({ error: String(error?.message ?? error) }),
);`;
      const { value, error } = await ask("POST", `${session}/execute/async`, { script, args: [argument ?? null] });
      if (error !== undefined) throw new Error(error);
      return value ?? undefined;
    },
  };
}

async function start(started, program, args, options) {
  const child = spawn(program, args, options);
  started.push(child);
  await Promise.race([
    once(child, "spawn"),
    once(child, "error").then(([error]) => {
      started.pop();
      throw new Error(`${program} cannot be started (${error.code}): run scripts/setup.sh`);
    }),
  ]);
  return child;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Waits until the driver listens. */
async function ready(driver) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await ask("GET", `${driver}/status`);
    } catch (error) {
      if (tries === 100) throw error;
      await pause(100);
    }
  }
}

/** One command of WebDriver, answered with its value. */
async function ask(method, url, body) {
  const response = await fetch(url, { method, body: body && JSON.stringify(body) });
  const { value } = await response.json();
  if (!response.ok) throw new Error(`${value.error}: ${value.message}`);
  return value;
}
