// README's "Try it", run: `synod dev` as `npm start` starts it, then each `npx synod` line; what etcdctl's lines give
// is compared with a real etcd by `npm run test:etcd`.
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { freePorts } from "./free-port.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const program = join(root, "bin/synod.js");
const runFile = promisify(execFile);

/** What each line prints; a line of README that is not here is a failure. */
const PRINTS: Readonly<Record<string, RegExp>> = {
  "put greeting hello": /^OK\n$/,
  "get --prefix greet": /^greeting\nhello\n$/,
  "endpoint health": /is healthy/,
};

describe("README's commands", () => {
  const dataDir = mkdtempSync(join(tmpdir(), "synod-readme-"));
  let dev: ChildProcess;
  let output = "";
  let endpoints = "";

  before(async () => {
    const clientPort = await freePorts([0, 10_000, 20_000, 1, 10_001, 20_001]);
    const ports = ["--client-port", `${clientPort}`, "--peer-port", `${clientPort + 1}`];
    endpoints = [0, 10_000, 20_000].map((offset) => `127.0.0.1:${clientPort + offset}`).join(",");
    dev = spawn(process.execPath, [program, "dev", "--data-dir", dataDir, ...ports], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    await new Promise<void>((resolve, reject) => {
      const onData = (chunk: Buffer): void => {
        output += chunk.toString();
        if (/\bready\b/.test(output)) resolve();
      };
      dev.stdout!.on("data", onData);
      dev.stderr!.on("data", onData);
      dev.on("error", reject);
      dev.on("exit", (status) => reject(new Error(`synod dev ended with ${status}:\n${output}`)));
    });
  });

  after(async () => {
    if (dev.exitCode === null && dev.signalCode === null) {
      dev.kill("SIGINT");
      await once(dev, "exit");
    }
    rmSync(dataDir, { recursive: true, force: true });
  });

  test("ready comes with the endpoints", () => {
    for (const endpoint of endpoints.split(",")) assert.ok(output.includes(endpoint), output);
  });

  test("each line prints what it should", async () => {
    const lines = [...readFileSync(join(root, "README.md"), "utf8").matchAll(/^npx synod (.*)$/gm)];
    assert.deepEqual(
      lines.map((match) => match[1]),
      Object.keys(PRINTS),
    );
    for (const [line, expected] of Object.entries(PRINTS)) {
      const env = { ...process.env, SYNOD_ENDPOINTS: endpoints };
      const { stdout, stderr } = await runFile(process.execPath, [program, ...line.split(" ")], { env });
      assert.match(stdout + stderr, expected, line);
    }
  });
});
