// The documents, checked against what they describe: links, commands, the layer and dependency tables.
// README's TypeScript example is run by `package.test.ts`.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { LAYERS } from "./layers.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const DOCUMENTS = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`),
];
const manifest = JSON.parse(read("package.json")) as {
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
};

/** The cells of each row of the tables in a document, without backquotes. */
function rowsOf(text: string): string[][] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => line.slice(1, -1).split("|"))
    .map((cells) => cells.map((cell) => cell.trim().replaceAll("`", "")));
}

test("every link to a file leads somewhere", () => {
  for (const document of DOCUMENTS) {
    for (const match of read(document).matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      assert.ok(existsSync(join(root, dirname(document), match[1]!)), `${document} links to ${match[1]}`);
    }
  }
});

test("every path that is named exists", () => {
  for (const document of DOCUMENTS) {
    for (const match of read(document).matchAll(/`((?:src|test|scripts|docs|bin|bench|tools)\/[\w./-]*)`/g)) {
      assert.ok(existsSync(join(root, match[1]!)), `${document} names ${match[1]}`);
    }
  }
});

test("every npm script that is named exists", () => {
  for (const document of DOCUMENTS) {
    for (const match of read(document).matchAll(/npm run ([\w:-]+)|npm (test|start)\b/g)) {
      assert.ok(manifest.scripts[match[1] ?? match[2]!], `${document} names ${match[0]}`);
    }
  }
});

test("every check that docs/verification.md names against an invariant is made in the simulator", () => {
  const folder = join(root, "src/sim");
  const sources = readdirSync(folder).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  const code = sources.map((name) => readFileSync(join(folder, name), "utf8")).join("\n");
  const [, table] = read("docs/verification.md").split("| invariant | checked by |");
  const names = [...table!.split("\n\n")[0]!.matchAll(/`(\w+)/g)].map((match) => match[1]!);
  assert.ok(names.length > 30);
  for (const name of names) assert.match(code, new RegExp(`["\`(\\s]${name}["\`:(]`), `no check ${name}`);
});

test("docs/architecture.md has the layer table of test/layers.ts", () => {
  const rows = rowsOf(read("docs/architecture.md")).filter((cells) => cells.length === 4);
  for (const layer of LAYERS) {
    const list = (names: readonly string[]): string => names.join(" ") || "-";
    const expected = [layer.name, list(layer.layers), list(layer.packages), layer.pure ? "yes" : "no"];
    assert.deepEqual(
      rows.find(([name]) => name === layer.name),
      expected,
    );
  }
});

test("docs/architecture.md gives a licence and a reason for each dependency, and each has its layers", () => {
  const rows = rowsOf(read("docs/architecture.md"));
  for (const name of Object.keys(manifest.dependencies)) {
    const row = rows.find(([first]) => first === name);
    assert.ok(row, `no row for ${name}`);
    const installed = JSON.parse(read(`node_modules/${name}/package.json`)) as { license: string };
    assert.equal(row[2], installed.license.replace(/[()]/g, "").replace(" AND ", " and "), name);
    const users = LAYERS.filter(({ packages }) => packages.includes(name)).map((layer) => `${layer.name}/`);
    assert.deepEqual(row[1]!.split(", ").sort(), users.sort(), name);
  }
});

test("docs/protocol.md names a test for each claim of the lectures, and the test is there", () => {
  const rows = rowsOf(read("docs/protocol.md")).filter(([claim]) => /^S\d+$/.test(claim!));
  assert.equal(rows.length, 13);
  for (const [claim, , named] of rows) {
    const [path, ...name] = named!.split(": ");
    assert.ok(read(path!).includes(`"${claim}: ${name.join(": ")}"`), `${claim}: ${named}`);
  }
});
