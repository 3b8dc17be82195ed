// Turns a data directory whose processes are dead into one that its disk might show after a power loss: what the
// journal of lossy-disk.c says was not synced is kept or lost as chance decides. Afterwards all of it is durable.
import {
  closeSync,
  existsSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { Random } from "../../src/base/random.js";
import { type JournalRecord, readJournal } from "./journal.js";
import { type Tree, UnsyncedEntries } from "./unsynced-entries.js";
import { type Fallen, UnsyncedSectors } from "./unsynced-sectors.js";

const SECTOR = 512;

/** A data directory, its journal, its bad sectors, and the directory for what was removed, all on one file system. */
export interface WatchedDirectory {
  readonly root: string;
  readonly journal: string;
  readonly removed: string;
  readonly bad: string;
}

/** What a power loss took. */
export interface Loss {
  readonly sectors: number;
  readonly entries: number;
}

/** After the death of its process: cuts off the record that it was just writing, and returns the others. */
export function settledJournal({ journal }: WatchedDirectory): JournalRecord[] {
  const bytes = existsSync(journal) ? readFileSync(journal) : Buffer.alloc(0);
  const { records, whole } = readJournal(bytes);
  if (whole < bytes.length) truncateSync(journal, whole);
  return records;
}

export function losePower(watched: WatchedDirectory, random: Random): Loss {
  const { files, entries } = unsynced(settledJournal(watched));
  const { tree, paths } = scan(watched);
  let sectors = 0;
  for (const [file, unsyncedSectors] of files) {
    const path = paths.get(file);
    if (path !== undefined && !unsyncedSectors.isEmpty) sectors += fall(path, unsyncedSectors, random);
  }
  const lost = entries.fall(random, tree);
  arrange(watched, tree, paths);
  rmSync(watched.removed, { recursive: true, force: true });
  mkdirSync(watched.removed);
  rmSync(watched.journal, { force: true });
  return { sectors, entries: lost };
}

function unsynced(records: readonly JournalRecord[]): {
  files: Map<number, UnsyncedSectors>;
  entries: UnsyncedEntries;
} {
  const files = new Map<number, UnsyncedSectors>();
  const entries = new UnsyncedEntries();
  const mapped = new Set<number>();
  for (const record of records) if (record.kind === "mapped") mapped.add(record.file);
  for (const record of records) {
    switch (record.kind) {
      case "write":
      case "sync":
      case "sync failed":
      case "sync range": {
        if (record.kind === "sync") entries.synced(record.file, record.upTo);
        if (mapped.has(record.file)) break;
        const file = files.get(record.file) ?? new UnsyncedSectors();
        files.set(record.file, file);
        file.add(record);
        break;
      }
      case "create":
      case "remove":
      case "rename":
        entries.add(record);
        break;
      case "fault":
      case "mapped":
        break;
    }
  }
  return { files, entries };
}

function scan({ root, removed }: WatchedDirectory): { tree: Tree; paths: Map<number, string> } {
  const tree: Tree = new Map();
  const paths = new Map<number, string>();
  for (const name of readdirSync(removed)) paths.set(Number(name), join(removed, name));
  const visit = (directory: string): void => {
    const names = new Map<string, number>();
    tree.set(statSync(directory).ino, names);
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      const { ino } = statSync(path);
      names.set(entry.name, ino);
      paths.set(ino, path);
      if (entry.isDirectory()) visit(path);
    }
  };
  visit(root);
  return { tree, paths };
}

/** How many sectors fell back. */
function fall(path: string, file: UnsyncedSectors, random: Random): number {
  const descriptor = openSync(path, "r+");
  try {
    const read = (sector: number): Uint8Array => {
      const bytes = new Uint8Array(SECTOR);
      readSync(descriptor, bytes, 0, SECTOR, sector * SECTOR);
      return bytes;
    };
    const fallen = file.fall(random, statSync(path).size, read);
    writeFallen(descriptor, fallen);
    return fallen.sectors.size;
  } finally {
    closeSync(descriptor);
  }
}

function writeFallen(descriptor: number, { size, sectors }: Fallen): void {
  ftruncateSync(descriptor, size);
  for (const [sector, bytes] of sectors) {
    const length = Math.min(SECTOR, size - sector * SECTOR);
    if (length > 0) writeSync(descriptor, bytes, 0, length, sector * SECTOR);
  }
}

/** Gives the files the names of `tree`: whatever has another is put aside first. */
function arrange({ root, removed }: WatchedDirectory, tree: Tree, paths: Map<number, string>): void {
  const visit = (directory: string): void => {
    const names = tree.get(statSync(directory).ino) ?? new Map<string, number>();
    for (const name of readdirSync(directory)) {
      const path = join(directory, name);
      const found = statSync(path);
      if (names.get(name) === found.ino) continue;
      const aside = join(removed, String(found.ino));
      if (found.isDirectory()) renameSync(path, aside);
      else {
        if (!existsSync(aside)) linkSync(path, aside);
        unlinkSync(path);
      }
      paths.set(found.ino, aside);
    }
    for (const [name, file] of names) {
      const path = join(directory, name);
      const kept = paths.get(file);
      if (!existsSync(path) && kept !== undefined && existsSync(kept)) {
        if (statSync(kept).isDirectory()) renameSync(kept, path);
        else linkSync(kept, path);
      }
      if (existsSync(path) && statSync(path).isDirectory()) visit(path);
    }
  };
  visit(root);
}
