// Makes a checkout ready to run: installs when what is installed is not what the lock says, builds when a source
// has changed, appeared or gone. It needs nothing but Node.js and npm, because it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const LOCK = ".prepare.lock";
const FRESH = ".dist-new";
const STAMP = "dist/.built";
const WAIT_MS = 600_000;

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: ["ignore", "inherit", "inherit"] });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

function readJson(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : null;
}

/** Whether every package of the lock is there in its version; those of other platforms may be missing. */
function isInstalled() {
  const installed = readJson("node_modules/.package-lock.json");
  if (installed === null) return false;
  const lock = readJson("package-lock.json");
  const asked = readJson("package.json");
  for (const group of ["dependencies", "devDependencies"]) {
    if (JSON.stringify(asked[group]) !== JSON.stringify(lock.packages[""][group])) return false;
  }
  return Object.entries(lock.packages).every(([path, { version, optional }]) => {
    if (path === "") return true;
    const found = installed.packages[path];
    return found === undefined ? optional === true : found.version === version;
  });
}

/** A hash over name, size and time of every file that the build is made from. */
function fingerprint() {
  const files = ["tsconfig.json", "package.json", "package-lock.json"];
  for (const folder of ["src", "test", "bench"]) {
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder, { recursive: true })) files.push(join(folder, String(name)));
  }
  const hash = createHash("sha256");
  for (const file of files.sort()) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest("hex");
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function pause() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
}

/** 0: none, or it is just being written. */
function lockHolder() {
  try {
    return Number(readFileSync(LOCK, "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return 0;
    throw error;
  }
}

/** One at a time in a checkout; a lock whose holder is dead is taken over. */
function lock() {
  const deadline = Date.now() + WAIT_MS;
  let told = false;
  let takenOver = false;
  for (;;) {
    try {
      writeFileSync(LOCK, `${process.pid}\n`, { flag: "wx" });
      if (takenOver) pause(); // another may have found the same dead holder, and remove this lock with it
      if (lockHolder() === process.pid) {
        process.on("exit", () => rmSync(LOCK, { force: true }));
        return;
      }
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const holder = lockHolder();
    if (holder > 0 && !isAlive(holder)) {
      rmSync(LOCK, { force: true });
      takenOver = true;
    }
    if (Date.now() > deadline) {
      console.error(`process ${holder} holds ${LOCK} and does not finish: end it, or remove the file`);
      process.exit(1);
    }
    if (!told && holder > 0 && isAlive(holder)) {
      console.error(`waiting for process ${holder}, which installs or builds this checkout`);
      told = true;
    }
    pause();
  }
}

/** Builds beside `dist` and swaps, so that a failed build leaves no stamp and a deleted source no output. */
function build(wanted) {
  rmSync(FRESH, { recursive: true, force: true });
  run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json", "--outDir", FRESH]);
  writeFileSync(join(FRESH, ".built"), wanted);
  rmSync("dist", { recursive: true, force: true });
  renameSync(FRESH, "dist");
}

const isBuilt = () => existsSync(STAMP) && readFileSync(STAMP, "utf8") === fingerprint();

if (!isInstalled() || !isBuilt()) {
  lock();
  if (!isInstalled()) run("npm", ["install", "--include=dev", "--no-audit", "--no-fund"]);
  if (!isBuilt()) build(fingerprint());
}
