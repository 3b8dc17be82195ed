// The life of `npm start` and `synod dev`: every way to stop it leaves no process behind, and started again it
// has its data.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { freePorts } from "../free-port.js";
import { allGone, PROGRAM, processesWith, type Running, start } from "./processes.js";

let dataDir = "";
let ports: string[] = [];
let endpoints = "";

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "synod-dev-"));
  const port = await freePorts([0, 1, 10_000, 10_001, 20_000, 20_001]);
  ports = ["--client-port", String(port), "--peer-port", String(port + 1)];
  endpoints = [0, 1, 2].map((i) => `127.0.0.1:${port + 10_000 * i}`).join(",");
});

afterEach(async () => {
  for (const { pid } of processesWith(dataDir)) process.kill(pid, "SIGKILL");
  await allGone(dataDir);
  rmSync(dataDir, { recursive: true });
});

function dev(): Running {
  return start(process.execPath, [PROGRAM, "dev", "--data-dir", dataDir, ...ports]);
}

function npmStart(): Running {
  return start("npm", ["start", "--silent", "--", "--data-dir", dataDir, ...ports]);
}

async function synod(...args: string[]): Promise<string> {
  const running = start(process.execPath, [PROGRAM, `--endpoints=${endpoints}`, ...args]);
  assert.equal(await running.ended, 0, running.lines.join("\n"));
  return running.lines.join("\n");
}

const members = (): number[] =>
  processesWith(dataDir)
    .filter(({ command }) => command.includes(" serve "))
    .map(({ pid }) => pid);

test("SIGTERM to npm alone stops all of it, and started again it has its data", {
  timeout: 120_000,
}, async () => {
  const first = npmStart();
  assert.equal(
    await first.line("ready"),
    `ready: clients at ${endpoints.replaceAll(/(?<=^|,)/g, " http://").trim()}`,
  );
  assert.equal(members().length, 3);
  await synod("put", "kept", "value");
  first.process.kill("SIGTERM");
  await first.ended;
  await allGone(dataDir);
  const second = npmStart();
  await second.line("ready");
  assert.equal(await synod("get", "kept"), "kept\nvalue");
  second.process.kill("SIGKILL");
  await second.ended;
  await allGone(dataDir);
});

test("the death of the parent ends the members", { timeout: 60_000 }, async () => {
  const running = dev();
  await running.line("ready");
  assert.equal(members().length, 3);
  running.process.kill("SIGKILL");
  assert.equal(await running.ended, "SIGKILL");
  await allGone(dataDir);
});

test("Ctrl-C ends it with status 0, a second one at once", { timeout: 60_000 }, async () => {
  const once = dev();
  await once.line("ready");
  once.process.kill("SIGINT");
  assert.equal(await once.ended, 0);
  await allGone(dataDir);
  const twice = dev();
  await twice.line("ready");
  // A member that is stopped cannot end in order: without the second one this would wait for it.
  process.kill(members()[0]!, "SIGSTOP");
  twice.process.kill("SIGINT");
  twice.process.kill("SIGINT");
  await Promise.race([twice.ended, interruptUntilEnded(twice)]);
  assert.equal(await twice.ended, 130);
  await allGone(dataDir);
});

/** Two signals at one moment may arrive as one. */
async function interruptUntilEnded(running: Running): Promise<void> {
  while (running.process.exitCode === null && running.process.kill("SIGINT")) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test("a member that dies is told of, with the command that starts it again", {
  timeout: 60_000,
}, async () => {
  const running = dev();
  await running.line("ready");
  process.kill(members()[0]!, "SIGKILL");
  const told = await running.line("replica-");
  assert.match(told, /^replica-\d ended \(SIGKILL\), the others go on; this starts it again:$/);
  const command = (await running.line("  node ")).trim().split(" ");
  await synod("put", "a", "still served");
  const again = start(process.execPath, command.slice(1));
  await again.line("ready: replica-");
  assert.equal(await synod("get", "a"), "a\nstill served");
  again.process.kill("SIGTERM");
  assert.equal(await again.ended, 0);
  running.process.kill("SIGTERM");
  assert.equal(await running.ended, 0);
});

test("a member that cannot start stops the others, and its reason is shown", {
  timeout: 60_000,
}, async () => {
  const other = start(process.execPath, [PROGRAM, "dev", "--data-dir", dataDir, "--replicas", "1", ...ports]);
  await other.line("ready");
  other.process.kill("SIGTERM");
  await other.ended;
  const running = dev();
  assert.equal(await running.ended, 1);
  const shown = running.lines.join("\n");
  assert.match(shown, /^replica-1 \| Error: .*belongs to cluster/m);
  assert.match(shown, /^Error: replica-1 did not start \(exit status 1\), so the others were stopped$/m);
  await allGone(dataDir);
});
