// scripts/prepare-tree.js in a small project of its own: it builds what has changed, once, and leaves nothing stale.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const project = mkdtempSync(join(tmpdir(), "synod-prepare-"));
const at = (path: string): string => join(project, path);

interface Run {
  readonly status: number | null;
  readonly text: string;
}

function prepare(): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["scripts/prepare-tree.js"], { cwd: project });
    let text = "";
    child.stdout.on("data", (chunk) => (text += chunk));
    child.stderr.on("data", (chunk) => (text += chunk));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, text }));
  });
}

before(() => {
  for (const folder of ["scripts", "src"]) mkdirSync(at(folder));
  for (const path of ["scripts/prepare-tree.js", "package.json", "package-lock.json", "tsconfig.json"]) {
    cpSync(join(root, path), at(path));
  }
  symlinkSync(join(root, "node_modules"), at("node_modules"));
  writeFileSync(at("src/kept.ts"), "export const kept = 1;\n");
  writeFileSync(at("src/gone.ts"), "export const gone = 1;\n");
});
after(() => rmSync(project, { recursive: true, force: true }));

test("two at once build once, and a third has nothing to do", async () => {
  const both = await Promise.all([prepare(), prepare()]);
  for (const { status, text } of both) assert.equal(status, 0, text);
  assert.ok(existsSync(at("dist/src/kept.js")));
  const built = statSync(at("dist/src/kept.js")).mtimeMs;
  assert.equal((await prepare()).text, "");
  assert.equal(statSync(at("dist/src/kept.js")).mtimeMs, built);
  assert.ok(!existsSync(at(".prepare.lock")));
});

test("a source that is gone leaves no output", async () => {
  rmSync(at("src/gone.ts"));
  assert.equal((await prepare()).status, 0);
  assert.ok(!existsSync(at("dist/src/gone.js")));
  assert.ok(existsSync(at("dist/src/kept.js")));
});

test("a build that fails says so each time, and leaves no stamp and no lock", async () => {
  const stamp = readFileSync(at("dist/.built"), "utf8");
  writeFileSync(at("src/bad.ts"), 'export const bad: number = "one";\n');
  for (let i = 0; i < 2; i += 1) {
    const { status, text } = await prepare();
    assert.notEqual(status, 0);
    assert.match(text, /src\/bad\.ts/);
  }
  assert.equal(readFileSync(at("dist/.built"), "utf8"), stamp);
  assert.ok(!existsSync(at(".prepare.lock")));
  rmSync(at("src/bad.ts"));
  assert.equal((await prepare()).status, 0);
});

test("the lock of a process that died is taken over", async () => {
  writeFileSync(at(".prepare.lock"), "999999999\n");
  writeFileSync(at("src/kept.ts"), "export const kept = 22;\n");
  assert.equal((await prepare()).status, 0);
  assert.match(readFileSync(at("dist/src/kept.js"), "utf8"), /22/);
});
