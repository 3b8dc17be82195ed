// The house rules as functions from sources to findings; `tidy.test.ts` shows each failing, then runs all on the tree.
import { posix } from "node:path";
import {
  GENERATED,
  type Layer,
  MAX_COLUMNS,
  MAX_FILE_LINES,
  MAX_FUNCTION_LINES,
  MAX_TEXT_COLUMNS,
} from "./layers.js";
import { codeOf, functionsOf, importsOf, lineAt, type SourceFile } from "./source-text.js";

/** `path:line: what is wrong`. */
export type Finding = string;

const IS_TEST = /^(?:test|bench|scripts|tools|bin)\/|\.test\.ts$/;
/** Suites that other tests run: written with the test runner, used by no program. */
const IS_SUITE = /-contract\.ts$|\/contract\.ts$/;

export const isProduct = (path: string): boolean => path.startsWith("src/") && !IS_TEST.test(path);
const isGenerated = (path: string): boolean => GENERATED.test(path);

/** The layer that a source is in; null: it is outside src/. */
export function layerOf(path: string): string | null {
  const match = /^src\/(?:([\w-]+)\/|([\w-]+)\.ts$)/.exec(path);
  return match === null ? null : (match[1] ?? match[2]!);
}

/** `./x.js` as written in `path` is the source `src/.../x.ts`. */
function resolveImport(path: string, from: string): string {
  return posix.join(posix.dirname(path), from).replace(/\.js$/, ".ts");
}

function packageOf(from: string): string {
  return from
    .split("/")
    .slice(0, from.startsWith("@") ? 2 : 1)
    .join("/");
}

/** The table itself goes down only: a layer names what stands before it. */
export function checkTable(layers: readonly Layer[]): Finding[] {
  const findings: Finding[] = [];
  const below = new Set<string>();
  for (const layer of layers) {
    for (const other of layer.layers) {
      if (!below.has(other))
        findings.push(`layers: ${layer.name} may not import ${other}, which is not below it`);
    }
    below.add(layer.name);
  }
  return findings;
}

export function checkImports(files: readonly SourceFile[], layers: readonly Layer[]): Finding[] {
  const findings: Finding[] = [];
  for (const { path, text } of files) {
    if (!isProduct(path)) continue;
    const layer = layers.find(({ name }) => name === layerOf(path));
    if (layer === undefined) {
      findings.push(`${path}:1: is in no layer of test/layers.ts`);
      continue;
    }
    const isSuite = IS_SUITE.test(path);
    for (const { line, from } of importsOf(text)) {
      const wrong = wrongImport(layer, path, from, isSuite);
      if (wrong !== null) findings.push(`${path}:${line}: ${wrong}`);
    }
  }
  return findings;
}

function wrongImport(layer: Layer, path: string, from: string, isSuite: boolean): string | null {
  if (from.startsWith(".")) {
    if (!from.endsWith(".js")) return `import of ${from} does not end in .js`;
    const target = layerOf(resolveImport(path, from));
    if (target === null) return `import of ${from}, outside src/`;
    if (target === layer.name || layer.layers.includes(target)) return null;
    return `${layer.name} may not import ${target}`;
  }
  if (from.startsWith("node:")) {
    if (!layer.pure) return null;
    if (isSuite && (from === "node:test" || from === "node:assert/strict")) return null;
    return `${layer.name} is pure and may not import ${from}`;
  }
  const name = packageOf(from);
  return layer.packages.includes(name) ? null : `${layer.name} may not import the package ${name}`;
}

/** Each cycle once, as the files on it. */
export function checkCycles(files: readonly SourceFile[]): Finding[] {
  const targets = new Map<string, string[]>();
  for (const { path, text } of files) {
    const own = importsOf(text).filter(({ from }) => from.startsWith("."));
    targets.set(
      path,
      own.map(({ from }) => resolveImport(path, from)),
    );
  }
  const findings: Finding[] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string): void => {
    const at = trail.indexOf(path);
    if (at >= 0) findings.push(`${path}:1: import cycle: ${[...trail.slice(at), path].join(" > ")}`);
    if (at >= 0 || done.has(path)) return;
    trail.push(path);
    for (const target of targets.get(path) ?? []) visit(target);
    trail.pop();
    done.add(path);
  };
  for (const path of targets.keys()) visit(path);
  return findings;
}

const PLATFORM = [
  "Date|performance|setTimeout|setInterval|setImmediate|queueMicrotask|Math\\.random|crypto",
  "Buffer|TextEncoder|TextDecoder|process|console|globalThis",
].join("|");
/** Not a property of that name, be it read (`x.process`) or declared (`process:`). */
const IMPURE = new RegExp(`(?<![.\\w#])(?:${PLATFORM})\\b(?!\\??:)`, "g");
const WAITING = /\b(?:async|await|Promise)\b/g;

/** No system in the pure layers, and nothing that waits in `src/paxos/`. */
export function checkPurity(
  files: readonly SourceFile[],
  layers: readonly Layer[],
  uses: Readonly<Record<string, string>>,
): Finding[] {
  const findings: Finding[] = [];
  for (const { path, text } of files) {
    const layer = layers.find(({ name }) => name === layerOf(path));
    if (!isProduct(path) || isGenerated(path) || !layer?.pure) continue;
    findings.push(
      ...matches(path, text, IMPURE, (word) =>
        Object.hasOwn(uses, `${path} ${word}`) ? null : `${word} in a pure layer`,
      ),
    );
    if (layer.name === "paxos") {
      findings.push(...matches(path, text, WAITING, (word) => `${word}: nothing waits in src/paxos/`));
    }
  }
  return findings;
}

/** A finding for every match of which `say` has something to say. */
function matches(
  path: string,
  text: string,
  pattern: RegExp,
  say: (word: string) => string | null,
): Finding[] {
  const code = codeOf(text);
  const findings: Finding[] = [];
  for (const match of code.matchAll(pattern)) {
    const said = say(match[0].replace(/\s+/g, " "));
    if (said !== null) findings.push(`${path}:${lineAt(code, match.index)}: ${said}`);
  }
  return findings;
}

/** Has a disk of its own, as has one file of the test cluster. */
const EXPLORERS_PROOF = "src/sim/explore/proof.ts";

/** A proof of sync is made in `src/wal/`, and where a simulated disk stands in for it. */
export function checkProofs(files: readonly SourceFile[]): Finding[] {
  const findings: Finding[] = [];
  let fakes = 0;
  for (const { path, text } of files) {
    if (path.startsWith("src/wal/") || path === EXPLORERS_PROOF) continue;
    const found = matches(path, text, /\bas\s+Synced\b/g, (word) => `\`${word}\` outside src/wal/`);
    if (found.length === 0) continue;
    if (path.startsWith("test/cluster/")) fakes += 1;
    if (!path.startsWith("test/cluster/") || fakes > 1) findings.push(...found);
  }
  return findings;
}

export function checkSizes(
  files: readonly SourceFile[],
  longFiles: Readonly<Record<string, string>>,
  longFunctions: Readonly<Record<string, string>>,
): Finding[] {
  const findings: Finding[] = [];
  const used = new Set<string>();
  for (const { path, text } of files) {
    if (isGenerated(path)) continue;
    const lines = text.split("\n");
    if (lines.at(-1) === "") lines.pop();
    if (lines.length > MAX_FILE_LINES) {
      used.add(path);
      if (!Object.hasOwn(longFiles, path)) findings.push(`${path}:1: ${lines.length} lines`);
    }
    const code = codeOf(text).split("\n");
    for (const [index, line] of lines.entries()) {
      if (line.length > columnLimit(line, code[index]!))
        findings.push(`${path}:${index + 1}: ${line.length} columns`);
    }
    const isSuite = !isProduct(path) || IS_SUITE.test(path);
    for (const { name, line, lines: whole, ownLines } of functionsOf(text)) {
      const size = isSuite ? ownLines : whole;
      if (size <= MAX_FUNCTION_LINES) continue;
      used.add(`${path} ${name}`);
      if (!Object.hasOwn(longFunctions, `${path} ${name}`)) {
        findings.push(`${path}:${line}: function ${name} has ${size} lines`);
      }
    }
  }
  for (const exception of [...Object.keys(longFiles), ...Object.keys(longFunctions)]) {
    if (!used.has(exception)) findings.push(`layers: the exception for ${exception} is not needed`);
  }
  return findings;
}

/** More where a text takes up so much of the line that the code in it is short. */
function columnLimit(line: string, code: string): number {
  const isCode = code.trim() !== "";
  return isCode && code.replace(/ {2,}/g, " ").length < line.length - 2 ? MAX_TEXT_COLUMNS : MAX_COLUMNS;
}

export function checkOpening(files: readonly SourceFile[]): Finding[] {
  return files
    .filter(({ path, text }) => !isGenerated(path) && !/^(?:#![^\n]*\n)?(?:\/\/|\/\*)/.test(text))
    .map(({ path }) => `${path}:1: does not open with a comment that says what it is`);
}

const KEBAB = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z]+)*$/;
const EMPTY_NAMES = /(?:^|-)(?:utils?|helpers?|common|types|managers?|impl|misc)(?:-|\.|$)/;

export function checkNames(files: readonly SourceFile[]): Finding[] {
  const findings: Finding[] = [];
  for (const { path } of files) {
    if (isGenerated(path)) continue;
    for (const part of path.split("/")) {
      if (!KEBAB.test(part)) findings.push(`${path}:1: ${part} is not kebab-case`);
      if (EMPTY_NAMES.test(part)) findings.push(`${path}:1: ${part} does not say what it holds`);
    }
  }
  return findings;
}

const SKIPPED =
  /\b(?:test|it|describe|t)\.(?:skip|only|todo)\b|(?<![?.\w])(?:skip|only|todo)\s*:\s*(?!boolean|false)/g;
const SILENCED = /\bas\s+any\b/g;
const LEFT_OVER = /\b(?:TODO|FIXME|XXX|HACK)\b|@ts-(?:ignore|nocheck|expect-error)|biome-ignore/g;

/** No skipped tests, silenced checks and leftovers; `mayName` lists the files that must spell them out. */
export function checkLeftovers(files: readonly SourceFile[], mayName: readonly string[]): Finding[] {
  const findings: Finding[] = [];
  for (const { path, text } of files) {
    if (isGenerated(path)) continue;
    if (IS_TEST.test(path)) findings.push(...matches(path, text, SKIPPED, (word) => `skipped test: ${word}`));
    findings.push(...matches(path, text, SILENCED, (word) => `silenced check: ${word}`));
    if (mayName.includes(path)) continue;
    for (const match of text.matchAll(LEFT_OVER)) {
      findings.push(`${path}:${lineAt(text, match.index)}: left over: ${match[0]}`);
    }
  }
  return findings;
}

/** Every kind of message has a row in the table of docs/protocol.md, and every row a message. */
export function checkMessageTable(messages: string, protocol: string): Finding[] {
  const kinds = [...messages.matchAll(/readonly kind: "(\w+)"/g)].map((match) => match[1]!);
  const section = /## Messages\n([\s\S]*?)(?:\n## |$)/.exec(protocol)?.[1] ?? "";
  const rows = [...section.matchAll(/^\| `(\w+)/gm)].map((match) => match[1]!);
  return [
    ...kinds.filter((kind) => !rows.includes(kind)).map((kind) => `docs/protocol.md: no row for ${kind}`),
    ...rows
      .filter((row) => !kinds.includes(row))
      .map((row) => `docs/protocol.md: no message is named ${row}`),
  ];
}
