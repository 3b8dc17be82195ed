// What is looked at before a start: `--initial-cluster-state existing` never makes a new member of a lost one.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CommandFailed } from "../failures.js";
import { checkMachine } from "./preflight.js";
import { planServe } from "./serve-plan.js";
import type { Given, SettingName } from "./settings.js";

async function check(dataDir: string): Promise<void> {
  const texts: readonly [SettingName, string][] = [
    ["data-dir", dataDir],
    ["initial-cluster-state", "existing"],
  ];
  const given = texts.map(([name, text]): [SettingName, Given] => [name, { text, source: `--${name}` }]);
  const plan = planServe(new Map(given));
  await checkMachine({ ...plan, listenClientUrls: [], listenPeerUrl: { ...plan.listenPeerUrl, port: 0 } });
}

test("an existing member has its data: what a killed start or a new file system leaves is none, a file neither", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "synod-preflight-"));
  try {
    const refused = (path: string, message: RegExp) =>
      assert.rejects(check(path), (error) => error instanceof CommandFailed && message.test(error.message));
    await refused(dataDir, /has no data of/);
    await mkdir(join(dataDir, "lost+found"));
    await writeFile(join(dataDir, "lock"), "1\n");
    await refused(dataDir, /has no data of/);
    await refused(join(dataDir, "lock"), /is a file; give a directory/);
    await writeFile(join(dataDir, "identity"), "");
    await check(dataDir);
  } finally {
    await rm(dataDir, { recursive: true });
  }
});
