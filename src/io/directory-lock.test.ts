// One process a directory: the lock is held by the living alone, and a path that cannot be used is refused.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { DataDirectoryError } from "../wal/identity.js";
import { lockDirectory } from "./directory-lock.js";

const root = await mkdtemp(join(tmpdir(), "synod-lock-"));
after(() => rm(root, { recursive: true }));

test("a directory is made, held by one, and free again after release", async () => {
  const path = join(root, "a", "data");
  const lock = await lockDirectory(path);
  await assert.rejects(lockDirectory(path), (error: Error) => {
    assert.ok(error instanceof DataDirectoryError);
    assert.equal(
      error.message,
      `${path} is in use by process ${process.pid}: stop that process, or give this one another data directory`,
    );
    return true;
  });
  // By another path it is the same directory.
  await rename(path, join(root, "b"));
  await assert.rejects(lockDirectory(join(root, "b")), /is in use by process/);
  await rename(join(root, "b"), path);
  await lock.release();
  assert.deepEqual(await readdir(path), []);
  await (await lockDirectory(path)).release();
});

test("another process is refused while the holder lives, and not after kill -9", async () => {
  const path = join(root, "killed");
  const source = `import { lockDirectory } from ${JSON.stringify(new URL("./directory-lock.js", import.meta.url))};
    await lockDirectory(process.argv[1]); console.log("locked"); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source, path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  await assert.rejects(lockDirectory(path), new RegExp(`is in use by process ${child.pid}:`));
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.deepEqual(await readdir(path), ["lock"]);
  await (await lockDirectory(path)).release();
});

test("a process of another container, which sees none of our sockets, holds it as well", async () => {
  const path = join(root, "shared");
  await mkdir(path);
  // Ends with its input; what it gives back shows that it has the lock.
  const other = spawn("flock", ["-n", path, "cat"], { stdio: ["pipe", "pipe", "inherit"] });
  other.stdin.write("locked");
  await once(other.stdout, "data");
  const text =
    `${path} is in use by a process of another container, or of another machine that shares its disk: ` +
    "stop that process, or give this one another data directory";
  await assert.rejects(lockDirectory(path), { constructor: DataDirectoryError, message: text });
  assert.deepEqual(await readdir(path), []);
  other.stdin.end();
  await once(other, "exit");
  const lock = await lockDirectory(path);
  const refused = spawn("flock", ["-n", path, "true"], { stdio: "inherit" });
  assert.deepEqual(await once(refused, "exit"), [1, null]);
  await lock.release();
  await (await lockDirectory(path)).release();
});

test("a flock that fails with a complaint has not found the lock taken, whatever its status", async () => {
  const bin = join(root, "bin");
  await mkdir(bin);
  const { PATH } = process.env;
  process.env.PATH = `${bin}:${PATH}`;
  try {
    for (const [says, isTaken] of [
      ["", true],
      // As BusyBox says it, where a file system refuses.
      ["echo 'flock: Operation not supported' >&2;", false],
    ] as const) {
      await writeFile(join(bin, "flock"), `#!/bin/sh\n${says} exit 1\n`, { mode: 0o755 });
      const path = join(root, "flocked");
      if (isTaken) await assert.rejects(lockDirectory(path), /in use by a process of another container/);
      else await (await lockDirectory(path)).release();
    }
  } finally {
    process.env.PATH = PATH;
  }
});

test("a path that cannot be used is refused with the reason, unchanged", async () => {
  const file = join(root, "file");
  await writeFile(file, "");
  await assert.rejects(lockDirectory(file), /cannot be used as a data directory \((EEXIST|ENOTDIR)\)/);
  const path = join(root, "readonly");
  await mkdir(path);
  await chmod(path, 0o500);
  await chmod(root, 0o755);
  // Root may write anywhere: for this check it steps down.
  const isRoot = process.getuid!() === 0;
  if (isRoot) {
    const { chown } = await import("node:fs/promises");
    await chown(path, 65534, 65534);
    process.seteuid!(65534);
  }
  try {
    await assert.rejects(lockDirectory(path), (error: Error) => {
      assert.ok(error instanceof DataDirectoryError);
      assert.match(error.message, /cannot be used as a data directory \(EACCES\).*owner and mode/);
      return true;
    });
  } finally {
    if (isRoot) process.seteuid!(0);
  }
  assert.deepEqual(await readdir(path), []);
});
