// The house rules, checked: each check is shown to fail on a bad sample, then runs on every source of the project.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { LAYERS, LONG_FILES, LONG_FUNCTIONS, PLATFORM_USES } from "./layers.js";
import { codeOf, functionsOf, importsOf, type SourceFile } from "./source-text.js";
import {
  checkCycles,
  checkImports,
  checkLeftovers,
  checkMessageTable,
  checkNames,
  checkOpening,
  checkProofs,
  checkPurity,
  checkSizes,
  checkTable,
} from "./tidy-checks.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
/** Spells out what it looks for. */
const MAY_NAME_LEFTOVERS = ["test/tidy-checks.ts"];

function readSources(): SourceFile[] {
  const files: SourceFile[] = [];
  for (const folder of ["src", "test", "bench", "scripts", "tools", "bin"]) {
    if (!existsSync(join(root, folder))) continue;
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
      if (!/\.[jt]s$/.test(name) || name.includes("node_modules")) continue;
      const path = [folder, ...name.split(sep)].join("/");
      files.push({ path, text: readFileSync(join(root, path), "utf8") });
    }
  }
  return files;
}

const file = (path: string, ...lines: string[]): SourceFile => ({ path, text: `${lines.join("\n")}\n` });
const repeated = (line: string, times: number): string[] => new Array<string>(times).fill(line);

/** A failure shows every finding on a line of its own. */
function assertNone(findings: readonly string[]): void {
  assert.equal(findings.join("\n"), "");
}

describe("tidy: how the checks fail", () => {
  test("code without comments, strings and regular expressions keeps its lines", () => {
    const text = [
      "a; // b",
      ["'c' + `d $", "{e + `f $", "{g}`} h`"].join(""),
      "/* i",
      'j */ k = /l[/]"/.test(m) / n;',
    ].join("\n");
    const code = codeOf(text);
    assert.equal(code.length, text.length);
    assert.equal(code.split("\n").length, 4);
    assert.deepEqual(code.match(/[a-z]+/g), ["a", "e", "g", "k", "test", "m", "n"]);
  });

  test("imports are found in every form, and not in comments or strings", () => {
    const text = [
      'import a from "./a.js";',
      'import type { B } from "b";',
      'export * from "./c.js";',
      'const d = await import("d");',
      '// import e from "e";',
      'const f = `import f from "f";`;',
      'import "g";',
    ].join("\n");
    assert.deepEqual(
      importsOf(text).map(({ line, from }) => `${line} ${from}`),
      ["1 ./a.js", "2 b", "3 ./c.js", "4 d", "7 g"],
    );
  });

  test("functions are measured by their braces", () => {
    const text = [
      "export function one<T>(a: T): { b: T } {",
      "  if (a) {",
      "    return { b: a };",
      "  }",
      "}",
      "class K {",
      "  #two(): void {",
      "    const three = (): void => {",
      "      four();",
      "    };",
      "  }",
      "}",
    ].join("\n");
    assert.deepEqual(
      functionsOf(text).map(({ name, lines, ownLines }) => `${name} ${lines} ${ownLines}`),
      ["one 5 5", "three 3 3", "#two 5 2"],
    );
  });

  test("a table that does not go down", () => {
    const upward = { name: "low", layers: ["high"], packages: [], pure: true };
    const high = { name: "high", layers: [], packages: [], pure: true };
    assert.equal(checkTable([upward, high]).length, 1);
    assert.equal(checkTable([high, upward]).length, 0);
  });

  test("imports that the table does not allow", () => {
    const bad = (path: string, from: string): number =>
      checkImports([file(path, `import { a } from "${from}";`)], LAYERS).length;
    assert.equal(bad("src/kv/store.ts", "../wal/wal.js"), 1, "kv imports wal");
    assert.equal(bad("src/wal/wal.ts", "../kv/store.js"), 1, "wal imports kv");
    assert.equal(bad("src/paxos/paxos.ts", "../replica/replica.js"), 1, "paxos imports replica");
    assert.equal(bad("src/paxos/paxos.ts", "node:fs"), 1, "paxos imports a Node.js module");
    assert.equal(bad("src/index.ts", "node:fs"), 1, "index imports a Node.js module");
    assert.equal(bad("src/wire/codec.ts", "lmdb"), 1, "wire imports a package");
    assert.equal(bad("src/base/bytes.ts", "./assert"), 1, "an import without .js");
    assert.equal(bad("src/base/bytes.ts", "../../test/layers.js"), 1, "src imports a test");
    assert.equal(bad("src/new/thing.ts", "../base/bytes.js"), 1, "a folder in no layer");
    assert.equal(bad("src/io/files.ts", "node:fs"), 0);
    assert.equal(bad("src/kv/store.ts", "../base/bytes.js"), 0);
    assert.equal(bad("src/etcd/server.ts", "@grpc/grpc-js/build/src/x.js"), 0);
    assert.equal(bad("src/kv/store.test.ts", "../wal/wal.js"), 0, "tests may");
  });

  test("import cycles", () => {
    const a = file("src/base/a.ts", 'import { b } from "./b.js";');
    const b = file("src/base/b.ts", 'import { c } from "./c.js";');
    const c = file("src/base/c.ts", 'import { a } from "./a.js";');
    assert.equal(checkCycles([a, b, c]).length, 1);
    assert.match(
      checkCycles([a, b, c])[0]!,
      /a\.ts > src\/base\/b\.ts > src\/base\/c\.ts > src\/base\/a\.ts/,
    );
    assert.equal(checkCycles([a, b]).length, 0);
  });

  test("clocks, chance, timers and the platform in pure layers", () => {
    const bad = (path: string, line: string): number => checkPurity([file(path, line)], LAYERS, {}).length;
    for (const word of ["Date.now()", "new Date()", "Math.random()", "setTimeout(f)", "Buffer.from(x)"]) {
      assert.equal(bad("src/kv/a.ts", `const x = ${word};`), 1, word);
    }
    for (const word of ["process.exit(1)", "console.log(x)", "new TextEncoder()", "performance.now()"]) {
      assert.equal(bad("src/wal/a.ts", `f(${word});`), 1, word);
    }
    assert.equal(bad("src/io/a.ts", "const x = Date.now();"), 0);
    assert.equal(bad("src/kv/a.ts", "const x = this.clock.process; // Date.now()"), 0);
    assert.equal(bad("src/kv/a.test.ts", "const x = Date.now();"), 0);
    const used = file("src/kv/a.ts", "f(globalThis);");
    assert.equal(checkPurity([used], LAYERS, { "src/kv/a.ts globalThis": "why" }).length, 0);
  });

  test("waiting in src/paxos/", () => {
    const bad = (path: string, line: string): number => checkPurity([file(path, line)], LAYERS, {}).length;
    assert.equal(bad("src/paxos/a.ts", "async function f() {}"), 1);
    assert.equal(bad("src/paxos/a.ts", "const x: Promise<void> = y;"), 1);
    assert.equal(bad("src/paxos/a.ts", "const x: PromiseMessage = promise;"), 0);
    assert.equal(bad("src/wal/a.ts", "const x: Promise<void> = y;"), 0);
  });

  test("proofs of sync made outside src/wal/", () => {
    const cast = "const proof = { turn: 1 } as Synced;";
    assert.equal(checkProofs([file("src/replica/a.ts", cast)]).length, 1);
    assert.equal(checkProofs([file("src/paxos/a.test.ts", cast)]).length, 1);
    assert.equal(checkProofs([file("test/cluster/a.ts", cast)]).length, 0);
    assert.equal(checkProofs([file("test/cluster/a.ts", cast), file("test/cluster/b.ts", cast)]).length, 1);
    assert.equal(checkProofs([file("src/wal/a.ts", cast)]).length, 0);
  });

  test("long files, functions and lines, and exceptions nobody needs", () => {
    const long = file("src/base/a.ts", ...repeated("a();", 401));
    assert.match(checkSizes([long], {}, {})[0]!, /401 lines/);
    assert.equal(checkSizes([long], { "src/base/a.ts": "why" }, {}).length, 0);
    assert.equal(checkSizes([], { "src/base/a.ts": "why" }, {}).length, 1, "an exception without use");
    const body = file("src/base/a.ts", "function f() {", ...repeated("a();", 69), "}");
    assert.match(checkSizes([body], {}, {})[0]!, /function f has 71 lines/);
    assert.equal(checkSizes([body], {}, { "src/base/a.ts f": "why" }).length, 0);
    assert.match(checkSizes([file("src/base/a.ts", "a".repeat(121))], {}, {})[0]!, /121 columns/);
    assert.equal(checkSizes([file("src/base/a.ts", `a("${"b".repeat(120)}");`)], {}, {}).length, 0);
    assert.equal(checkSizes([file("src/base/a.ts", `a("${"b".repeat(200)}");`)], {}, {}).length, 1);
    assert.equal(checkSizes([file("src/base/a.ts", `// ${"b".repeat(120)}`)], {}, {}).length, 1);
    const nested = ["f(() => {", "  g(() => {", ...repeated("    a();", 68), "  });", "});"];
    assert.equal(checkSizes([file("src/base/a.ts", ...nested)], {}, {}).length, 1);
    assert.equal(checkSizes([file("src/base/a.test.ts", ...nested)], {}, {}).length, 0, "a suite of tests");
  });

  test("sources that do not say what they are", () => {
    assert.equal(checkOpening([file("src/base/a.ts", 'import { b } from "./b.js";', "// late")]).length, 1);
    assert.equal(checkOpening([file("bin/a.js", "#!/usr/bin/env node", "// what it is")]).length, 0);
  });

  test("names that are not kebab-case or say nothing", () => {
    assert.equal(checkNames([file("src/base/ringBuffer.ts")]).length, 1);
    assert.equal(checkNames([file("src/Base/ring.ts")]).length, 1);
    for (const name of ["utils.ts", "test-helpers.ts", "common.test.ts", "types.ts", "lock-manager.ts"]) {
      assert.equal(checkNames([file(`src/base/${name}`)]).length, 1, name);
    }
    assert.equal(checkNames([file("src/wal/disk-contract.ts"), file("src/base/crc32.test.ts")]).length, 0);
  });

  test("skipped tests, silenced checks and leftovers", () => {
    const bad = (line: string): number => checkLeftovers([file("src/base/a.test.ts", line)], []).length;
    for (const how of ["skip", "only", "todo"]) {
      assert.equal(bad(`test.${how}("x", f);`), 1, how);
      assert.equal(bad(`test("x", { ${how}: true }, f);`), 1, how);
    }
    assert.equal(bad("const x = y as any;"), 1);
    const comments = [
      ["TO", "DO"],
      ["FIX", "ME"],
      ["@ts-", "ignore"],
      ["biome-", "ignore"],
    ];
    for (const word of comments) assert.equal(bad(`// ${word.join("")}: later`), 1, word.join(""));
    assert.equal(bad('test("no test.skip here", f);'), 0);
  });

  test("messages without a row, and rows without a message", () => {
    const messages = 'interface A { readonly kind: "a" }\ninterface B { readonly kind: "b" }';
    const table = "## Messages\n| message |\n|---|\n| `a{x}` | 1 |\n| `c` | 2 |\n\n## Next\n| `d` |\n";
    assert.deepEqual(checkMessageTable(messages, table), [
      "docs/protocol.md: no row for b",
      "docs/protocol.md: no message is named c",
    ]);
  });
});

describe("tidy: this project", () => {
  const files = readSources();
  const read = (path: string): string => readFileSync(join(root, path), "utf8");

  test("there is something to check", () => {
    assert.ok(files.some(({ path }) => path === "src/paxos/message.ts"));
  });
  test("the layer table goes down only", () => assertNone(checkTable(LAYERS)));
  test("imports go down only, and packages stay in their layers", () =>
    assertNone(checkImports(files, LAYERS)));
  test("no import cycles", () => assertNone(checkCycles(files)));
  test("pure layers are pure", () => assertNone(checkPurity(files, LAYERS, PLATFORM_USES)));
  test("proofs of sync are made in src/wal/", () => assertNone(checkProofs(files)));
  test("files, functions and lines are short", () => {
    assertNone(checkSizes(files, LONG_FILES, LONG_FUNCTIONS));
  });
  test("every source opens with a comment", () => assertNone(checkOpening(files)));
  test("names are kebab-case and say something", () => assertNone(checkNames(files)));
  test("nothing is skipped, silenced or left over", () => {
    assertNone(checkLeftovers(files, MAY_NAME_LEFTOVERS));
  });
  test("every message has its row in docs/protocol.md", () => {
    const messages =
      read("src/paxos/message.ts") + read("src/wire/peer-message.ts") + read("src/wire/snapshot-messages.ts");
    assertNone(checkMessageTable(messages, read("docs/protocol.md")));
  });
  test("the lock names no download addresses", () => {
    assert.doesNotMatch(read("package-lock.json"), /"resolved": "http/);
  });
});
