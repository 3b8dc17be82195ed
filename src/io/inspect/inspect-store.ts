// The store of the key-value server in a data directory, read in a copy of it: lmdb writes even where it only reads.
import { execFile } from "node:child_process";
import {
  access,
  constants,
  copyFile,
  type FileHandle,
  mkdtemp,
  open,
  readdir,
  rm,
  stat,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isIoError, readAgain } from "../../base/io-error.js";
import { DataDirectoryError } from "../../wal/data-directory-error.js";
import { isOutOfMemory, isSignalOfDamage, memoryFlags, reasonOfEnd } from "../reader-process.js";
import { StoreMark } from "../store-mark.js";
import { SET_ASIDE } from "../whole-directory.js";
import type { Inspection } from "./inspection.js";
import type { StoreReport } from "./store-child.js";

const CHILD = fileURLToPath(new URL("store-child.js", import.meta.url));
const FILE = join("store", "data.mdb");
const READ_BYTES = 1 << 20;
const MOST_OUTPUT = 1 << 20;
/** In a damaged tree lmdb may go round in circles: so long, and so much longer for each byte of the file. */
const LONGEST_MS = 60_000;
const MS_PER_BYTE = 1 / 2000;

/** Whether the state of the machine is in a store: one that is there, or was until it was set aside. */
export async function hasStore(path: string): Promise<boolean> {
  return (await isThere(join(path, "store"))) || (await setAside(path)).length > 0;
}

async function setAside(path: string): Promise<string[]> {
  return (await readdir(path)).filter((name) => SET_ASIDE.test(name)).sort();
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** There is something of this name, and it is not that. */
async function isOther(path: string, kind: "isFile" | "isDirectory"): Promise<boolean> {
  return (await isThere(path)) && !(await stat(path))[kind]();
}

export async function inspectStore(path: string, found: Inspection, isDeep: boolean): Promise<void> {
  for (const file of await setAside(path)) {
    const text = "a store that was found damaged and set aside, kept to be looked at; it may be removed";
    found.leftOver.push({ file, offset: null, text });
  }
  if (await isOther(join(path, "store"), "isDirectory")) {
    found.find(
      "store",
      null,
      `is no directory; move it away, and the next start makes one: ${found.sourceOfState}`,
    );
    return;
  }
  await inspectMark(path, found);
  if (await isOther(join(path, FILE), "isFile")) {
    found.find(
      FILE,
      null,
      `is no file; the next start sets the store aside and rebuilds it: ${found.sourceOfState}`,
    );
    return;
  }
  if (!(await isThere(join(path, FILE)))) {
    found.find(
      FILE,
      null,
      `is missing; the next start makes an empty one, and the state is lost: ${found.sourceOfState}`,
    );
    const none = { slot: 0, revision: 1, compactRevision: -1, noted: null, keys: 0, bytes: 0 };
    found.state = { kind: "store", ...none };
    return;
  }
  const scratch = await scratchDirectory();
  try {
    if (!(await copy(join(path, FILE), join(scratch, "data.mdb")))) {
      const text =
        "the disk cannot read all of it (EIO); the next start, or the scrub, sets the store aside and rebuilds it";
      found.find(FILE, null, `${text}: ${found.sourceOfState}; look at the disk`);
      return;
    }
    const { size } = await stat(join(scratch, "data.mdb"));
    const report = await ask(scratch, isDeep, LONGEST_MS + Math.ceil(size * MS_PER_BYTE));
    for (const text of report.faults) {
      const advice = `the replica, when it meets that, sets the store aside and rebuilds it: ${found.sourceOfState}`;
      const told = text.replace(join(scratch, "data.mdb"), "it");
      found.find(FILE, null, report.isUnknown ? text : `${told}; ${advice}`);
    }
    const { head, keys, bytes } = report;
    found.state = head === null ? null : { kind: "store", ...head, keys, bytes };
  } finally {
    await rm(scratch, { recursive: true });
  }
}

/** What goes wrong with the copy says nothing of the store. */
function notCopied(error: unknown): DataDirectoryError {
  const { message } = error as Error;
  return new DataDirectoryError(
    `the store is read in a copy, and that cannot be made under ${tmpdir()}: ${message}; set TMPDIR to a directory ` +
      "that this process can write to, with as much room as store/data.mdb takes",
    { cause: error },
  );
}

async function scratchDirectory(): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), "synod-store-"));
  } catch (error) {
    throw notCopied(error);
  }
}

/** False: the disk cannot read all of it. */
async function copy(from: string, to: string): Promise<boolean> {
  await access(from, constants.R_OK);
  try {
    await readAgain(() => copyFile(from, to, constants.COPYFILE_FICLONE));
    return true;
  } catch (error) {
    // Which of the two it was the system does not say.
    if (isIoError(error) && !(await canBeRead(from))) return false;
    throw notCopied(error);
  }
}

async function canBeRead(path: string): Promise<boolean> {
  const bytes = Buffer.alloc(READ_BYTES);
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    while ((await file.read(bytes, 0, READ_BYTES)).bytesRead > 0);
    return true;
  } catch (error) {
    if (!isIoError(error)) throw error;
    return false;
  } finally {
    await file?.close();
  }
}

const MARK = join("store", "mark");

async function inspectMark(path: string, found: Inspection): Promise<void> {
  const { found: mark, diedInScrub, unreadable } = await StoreMark.read(join(path, "store"));
  for (const name of unreadable) {
    const text = "the disk cannot read it (EIO); the next start looks at the store first, and makes it anew";
    found.find(join("store", name), null, `${text}; look at the disk`);
  }
  if (diedInScrub && !unreadable.includes("scrub")) {
    found.note(
      MARK,
      null,
      "a process ended while it scrubbed the store; the next start looks at the store first",
    );
  }
  if (mark === null || unreadable.includes("mark")) return;
  if (mark.state === "condemned") {
    const text = `the store was found damaged (${mark.reason}); the next start sets it aside and rebuilds it: `;
    found.find(MARK, null, `${text}${found.sourceOfState}`);
    return;
  }
  const when =
    mark.state === "opening" ? "while it opened the store" : "not long after it had opened the store";
  found.note(MARK, null, `a process ended ${when}; the next start looks at the store first if it has to`);
}

/** Of the store in `directory`, as another process reads it; one that takes longer than `longestMs` is ended. */
export function ask(
  directory: string,
  isDeep: boolean,
  longestMs: number,
  child = CHILD,
): Promise<StoreReport> {
  const args = [...memoryFlags(), child, directory, isDeep ? "deep" : "head"];
  const limits = { maxBuffer: MOST_OUTPUT, timeout: longestMs, killSignal: "SIGKILL" } as const;
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, limits, (error, stdout, stderr) => {
      if (error === null) {
        resolve(JSON.parse(stdout) as StoreReport);
        return;
      }
      const signal = error.signal ?? null;
      const wasOutOfMemory = isOutOfMemory(stderr);
      if (error.killed && signal === "SIGKILL") resolve(broken("it cannot be read to its end"));
      else if (isSignalOfDamage(signal, wasOutOfMemory) || isAbort(stderr))
        resolve(broken("it ended the process that read them"));
      else {
        const reason = reasonOfEnd(signal, error.code, wasOutOfMemory, stderr);
        reject(
          new DataDirectoryError(`the process that was to read the store did not get to its end, ${reason}`),
        );
      }
    });
  });
}

/** lmdb found its pages to be nonsense. */
function broken(how: string): StoreReport {
  const faults = [`the pages of lmdb are damaged: ${how}`];
  return { head: null, keys: 0, bytes: 0, faults, isUnknown: false };
}

/** What lmdb throws itself says its number. */
function isAbort(stderr: string): boolean {
  return /MDB_(CORRUPTED|PAGE_NOTFOUND|PANIC|INVALID|BAD_TXN)|Assertion/.test(stderr);
}
