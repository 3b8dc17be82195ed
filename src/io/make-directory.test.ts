// What a power loss leaves of the names that lead to a directory: those that a sync of their directory has seen.
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { createReplica } from "../index.js";
import { jsonMachine } from "../machine/json-machine.js";
import { lockDirectory } from "./directory-lock.js";
import { openKv } from "./kv-opening.js";
import { makeDirectory } from "./make-directory.js";
import { NodeDisk } from "./node-disk.js";
import { openStorage } from "./storage.js";
import { StoreMark } from "./store-mark.js";

let root = "";
/** Paths of what a power loss leaves. */
let durable = new Set<string>();
/** Called with the path of what is synced, before it is. */
let onSync: (path: string) => void = () => {};
let restore = () => {};

/** All syncs of directories go through the method of this prototype. */
async function prototypeOfHandles(): Promise<FileHandle> {
  const handle = await open(tmpdir(), "r");
  await handle.close();
  return Object.getPrototypeOf(handle) as FileHandle;
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "synod-directory-"));
  durable = new Set();
  onSync = () => {};
  const handles = await prototypeOfHandles();
  const { sync } = handles;
  handles.sync = function (this: FileHandle) {
    const path = readlinkSync(`/proc/self/fd/${this.fd}`);
    onSync(path);
    const isDirectory = existsSync(path) && statSync(path).isDirectory();
    const names = isDirectory ? readdirSync(path) : [];
    return sync.call(this).then(() => {
      for (const name of names) durable.add(join(path, name));
    });
  };
  restore = () => {
    handles.sync = sync;
  };
});

afterEach(async () => {
  restore();
  await rm(root, { recursive: true });
});

function assertDurable(path: string): void {
  for (let at = path; at !== root; at = dirname(at)) assert.ok(durable.has(at), `${at} may be lost`);
}

const counter = () =>
  jsonMachine({ initial: {}, apply: (_state, _command: object) => 0, query: (_state, _query: object) => 0 });

test("a directory that is made, with three above it, is not lost", async () => {
  const path = join(root, "a", "b", "c", "data");
  await makeDirectory(path);
  assertDurable(path);
});

test("nor one that is there, whoever made it a moment ago", async () => {
  const path = join(root, "a", "b", "data");
  mkdirSync(path, { recursive: true });
  await makeDirectory(path);
  assertDurable(path);
});

test("nor one of several that processes make below one that is new, at the same time", async () => {
  const paths = [1, 2, 3].map((id) => join(root, "cluster", `member-${id}`));
  await Promise.all(paths.map(makeDirectory));
  for (const path of paths) assertDurable(path);
});

test("nor a link to it, nor where the link leads", async () => {
  const target = join(root, "disk", "data");
  mkdirSync(target, { recursive: true });
  mkdirSync(join(root, "etc"));
  const link = join(root, "etc", "data");
  symlinkSync(target, link);
  await makeDirectory(link);
  for (const path of [target, link]) assertDurable(path);
});

test("nor what is made at the end of a link", async () => {
  mkdirSync(join(root, "disk"));
  symlinkSync(join(root, "disk"), join(root, "link"));
  await makeDirectory(join(root, "link", "new", "data"));
  assertDurable(join(root, "disk", "new", "data"));
  assertDurable(join(root, "link"));
});

for (const [what, use] of [
  ["locked", async (path: string) => (await lockDirectory(path)).release()],
  ["a store", async (path: string) => (await StoreMark.read(path)).opening()],
  ["a disk", async (path: string) => void (await NodeDisk.open(path))],
] as const) {
  test(`one that is made to be ${what} is not lost`, async () => {
    const path = join(root, "a", "data");
    await use(path);
    assertDurable(path);
  });
}

test("before anything is written in it, it is not lost any more", async () => {
  const path = join(root, "a", "data");
  const prepare = async () => assertDurable(path);
  await (await openStorage(path, counter, prepare)).release();
});

test("a replica that has started loses neither its directory nor its store", async () => {
  const path = join(root, "a", "data");
  const replica = createReplica({
    id: 1,
    members: { 1: "127.0.0.1:1" },
    listen: "127.0.0.1:0",
    dataDir: path,
    machine: (dataDir, tell) => openKv(dataDir, { isAlone: true, tell }),
  });
  try {
    await replica.ready();
    assertDurable(join(path, "store", "data.mdb"));
  } finally {
    await replica.close();
  }
});

test("where a name cannot be made durable, none is made, and it is said what to do", async () => {
  onSync = (path) => {
    if (path === root) throw Object.assign(new Error("EINVAL: invalid argument, fsync"), { code: "EINVAL" });
  };
  const path = join(root, "a", "data");
  await assert.rejects(lockDirectory(path), {
    name: "DataDirectoryError",
    message:
      `${root} cannot be synced (EINVAL), and a power loss might take ${path}, with all that will be in it: give a ` +
      "directory on another file system",
  });
  assert.deepEqual(readdirSync(root), []);
});

test("a failed sync of what is above a directory that is there ends the start", async () => {
  const path = join(root, "a", "data");
  mkdirSync(path, { recursive: true });
  onSync = (synced) => {
    if (synced === root) throw Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO" });
  };
  await assert.rejects(lockDirectory(path), { message: /cannot be synced \(EIO\)/ });
});

test("in a directory that may not be read: one that is there is used, none is made", async () => {
  const above = join(root, "above");
  const path = join(above, "data");
  mkdirSync(path, { recursive: true });
  const isRoot = process.getuid!() === 0;
  chmodSync(root, 0o755);
  chmodSync(above, 0o300);
  // Root may read everything: for this check it steps down.
  if (isRoot) {
    for (const each of [above, path]) chownSync(each, 65534, 65534);
    process.seteuid!(65534);
  }
  const other = join(above, "other");
  try {
    await makeDirectory(path);
    await assert.rejects(makeDirectory(other), {
      message:
        `${above} cannot be synced (EACCES), and a power loss might take ${other}, with all that will be in it: let ` +
        `this process read it, or make ${other} before it starts`,
    });
  } finally {
    if (isRoot) process.seteuid!(0);
    chmodSync(above, 0o700);
  }
  assert.deepEqual(readdirSync(above), ["data"]);
});
