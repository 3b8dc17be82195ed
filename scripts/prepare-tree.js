// Makes a checkout ready to run: installs when the installed tree is older than the lock, builds when the
// build is older than a source. It needs nothing but Node.js and npm, because it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

const modified = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: ["ignore", "inherit", "inherit"] });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

function newestSource(folder) {
  let newest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) newest = Math.max(newest, modified(join(entry.parentPath ?? entry.path, entry.name)));
  }
  return newest;
}

const installed = modified("node_modules/.package-lock.json");
if (installed < modified("package-lock.json") || installed < modified("package.json")) {
  run("npm", ["install", "--no-audit", "--no-fund"]);
}

const stamp = "dist/.built";
const sources = Math.max(
  ...["src", "test", "bench"].map(newestSource),
  modified("tsconfig.json"),
  modified("package.json"),
);
if (modified(stamp) < sources) {
  const { rmSync, writeFileSync } = await import("node:fs");
  rmSync("dist", { recursive: true, force: true });
  run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"]);
  writeFileSync(stamp, "");
}
