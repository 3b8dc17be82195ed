// Runs the compiled tests: all of them, or those whose path contains one of the words given.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));
const words = process.argv.slice(2);
const files = readdirSync("dist", { recursive: true })
  .map((name) => join("dist", String(name)))
  .filter((name) => name.endsWith(".test.js"))
  .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
  .sort();
if (files.length === 0) {
  console.error(`no test matches ${words.join(" ")}`);
  process.exit(2);
}
const { status, error } = spawnSync(
  process.execPath,
  ["--test", "--test-concurrency=2", "--test-reporter=spec", ...files],
  { stdio: "inherit" },
);
if (error) throw error;
process.exit(status ?? 1);
