// What `npm pack` makes: its content, and that it works from TypeScript in an empty project, with README's example.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort } from "./free-port.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** Runs a program; a failure shows what it printed. */
function run(cwd: string, command: string, ...args: string[]): string {
  return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

function readmeExample(): string {
  const blocks = [...readFileSync(join(root, "README.md"), "utf8").matchAll(/```ts\n([\s\S]*?)```/g)];
  assert.equal(blocks.length, 1, "README.md has one TypeScript example");
  return blocks[0]![1]!;
}

describe("npm pack", () => {
  const project = mkdtempSync(join(tmpdir(), "synod-package-"));
  let files: string[] = [];
  let archive = "";
  const tsc = (...args: string[]): string =>
    run(project, process.execPath, join(root, "node_modules/typescript/bin/tsc"), ...args);

  before(() => {
    const packed = run(root, "npm", "pack", "--json", "--ignore-scripts", "--pack-destination", project);
    const [{ filename, files: content }] = JSON.parse(packed) as [
      { filename: string; files: { path: string }[] },
    ];
    files = content.map(({ path }) => path);
    archive = join(project, filename);
    writeFileSync(
      join(project, "package.json"),
      '{ "name": "embedder", "private": true, "type": "module" }\n',
    );
    run(project, "npm", "install", "--no-audit", "--no-fund", "--prefer-offline", `./${filename}`);
  });
  after(() => rmSync(project, { recursive: true, force: true }));

  test("holds the program, the library and its documents, and nothing else", () => {
    for (const path of ["bin/synod.js", "dist/src/index.js", "dist/src/index.d.ts", "README.md", "LICENSE"]) {
      assert.ok(files.includes(path), path);
    }
    const allowed = /^(?:bin\/|dist\/src\/|package\.json$|README\.md$|LICENSE$|CHANGELOG\.md$)/;
    const odd = files.filter(
      (path) => !allowed.test(path) || /\.test\.|-contract\.|-for-tests\.|\.built$/.test(path),
    );
    assert.deepEqual(odd, []);
  });

  test("publint and Are The Types Wrong have nothing to say of it", () => {
    run(project, join(root, "node_modules/.bin/publint"), "run", archive, "--strict");
    run(project, join(root, "node_modules/.bin/attw"), archive, "--profile", "esm-only");
  });

  test("every source map holds its sources, and every file it names is there", () => {
    const installed = join(project, "node_modules/synod");
    for (const path of files.filter((name) => name.endsWith(".map"))) {
      const map = JSON.parse(readFileSync(join(installed, path), "utf8")) as { sourcesContent?: unknown[] };
      assert.ok(
        map.sourcesContent?.every((text) => typeof text === "string"),
        path,
      );
    }
    for (const path of files.filter((name) => name.endsWith(".js"))) {
      const named = /^\/\/# sourceMappingURL=(.*)$/m.exec(readFileSync(join(installed, path), "utf8"))?.[1];
      if (named !== undefined)
        assert.ok(files.includes(join(dirname(path), named)), `${path} names ${named}`);
    }
  });

  test("the program says its version", () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    for (const word of ["version", "--version"]) {
      const said = run(project, process.execPath, "node_modules/synod/bin/synod.js", word);
      assert.ok(said.includes(version), said);
    }
    assert.ok(readdirSync(join(project, "node_modules/.bin")).includes("synod"));
  });

  test("README's example type-checks without our settings, and runs", async () => {
    const port = await freePort();
    const example = readmeExample().replace("127.0.0.1:7001", `127.0.0.1:${port}`);
    assert.ok(example.includes(`:${port}`), "the example names 127.0.0.1:7001");
    mkdirSync(join(project, "out"), { recursive: true });
    writeFileSync(join(project, "example.ts"), example);
    writeFileSync(join(project, "paxos.ts"), 'import * as paxos from "synod/paxos";\nconsole.log(paxos);\n');
    const types = ["--types", "node", "--typeRoots", join(root, "node_modules/@types")];
    const settings = ["--strict", "--module", "nodenext", "--target", "es2022", "--outDir", "out", ...types];
    assert.equal(tsc(...settings, "example.ts", "paxos.ts"), "");
    assert.equal(run(project, process.execPath, "out/example.js"), "2\n2\n");
    assert.match(run(project, process.execPath, "out/paxos.js"), /Paxos/);
  });
});
