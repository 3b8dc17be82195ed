// The public surface, frozen: every declaration that each export of the package gives away, as golden files.
// A change here is a change for users: `UPDATE=1 npm test` rewrites the files, CHANGELOG.md says it.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { codeOf } from "./source-text.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const DECLARATION =
  /^export (?:declare )?(?:abstract )?(?:class|interface|type|function|const|enum) ([\w$]+)/gm;
const REEXPORT = /^export (?:type )?(\*|\{[^}]*\}) from "(\.[^"]+)";/gm;

/** Name to declaration, of all that the emitted declarations at `path` export, however they come by it. */
function surfaceOf(path: string): Map<string, string> {
  const text = read(path);
  const surface = new Map<string, string>();
  for (const match of text.matchAll(DECLARATION)) {
    const declaration = declarationAt(text, match.index);
    const before = surface.get(match[1]!);
    surface.set(match[1]!, before === undefined ? declaration : `${before}\n${declaration}`);
  }
  for (const [, names, from] of text.matchAll(REEXPORT)) {
    const source = surfaceOf(join(dirname(path), from!.replace(/\.js$/, ".d.ts")));
    for (const [name, alias] of names === "*" ? [...source.keys()].map((key) => [key, key]) : named(names!)) {
      const declaration = source.get(name!);
      assert.ok(declaration !== undefined, `${path} exports ${name} of ${from}, which does not declare it`);
      surface.set(alias!, declaration);
    }
  }
  return surface;
}

/** `{ a, type B as C }` as pairs of the name there and the name here. */
function named(list: string): string[][] {
  return list
    .slice(1, -1)
    .split(",")
    .map((name) => name.trim().replace(/^type /, ""))
    .filter((name) => name !== "")
    .map((name) => name.split(" as "))
    .map(([name, alias]) => [name!, alias ?? name!]);
}

/** From `start` to the brace that closes it, or the semicolon that ends it; without comments and private fields. */
function declarationAt(text: string, start: number): string {
  const code = codeOf(text);
  let depth = 0;
  let end = start;
  for (; end < code.length; end += 1) {
    const char = code[end]!;
    if ("{([".includes(char)) depth += 1;
    if ("})]".includes(char)) depth -= 1;
    if (depth === 0 && (char === ";" || (char === "}" && /^\s*\n(?!\s*&|\s*\|)/.test(code.slice(end + 1)))))
      break;
  }
  return text
    .slice(start, end + 1)
    .replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, "")
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "" && !/^\s*(?:#private|private [\w ]+);$/.test(line))
    .join("\n");
}

const { exports } = JSON.parse(read("package.json")) as { exports: Record<string, { types?: string }> };

for (const [name, { types }] of Object.entries(exports)) {
  if (types === undefined) continue;
  test(`the surface of synod${name.slice(1)} is the one in test/golden`, () => {
    const surface = surfaceOf(types);
    const text = [...surface.keys()].sort().map((key) => `${surface.get(key)}\n`);
    const golden = join(root, "test/golden", `surface${name.slice(1).replaceAll("/", "-")}.txt`);
    if (process.env.UPDATE) {
      mkdirSync(dirname(golden), { recursive: true });
      writeFileSync(golden, text.join("\n"));
    }
    assert.equal(text.join("\n"), readFileSync(golden, "utf8"));
  });
}
