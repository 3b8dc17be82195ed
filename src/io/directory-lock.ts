// Exclusive use of a data directory. An abstract unix socket named after device and inode is the lock: the kernel
// releases it with the process, whatever its end. Another container has names of its own for such sockets: against its
// processes the directory is locked as a file, too. A file in the directory tells people who holds it.
import { spawn } from "node:child_process";
import { type FileHandle, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { isNoSpace } from "../base/no-space.js";
import { DataDirectoryError, LOCK_NAME } from "../wal/identity.js";
import { makeDirectory } from "./make-directory.js";

export { LOCK_NAME };

export interface DirectoryLock {
  release(): Promise<void>;
}

/**
 * As `makeDirectory` leaves the directory, and locked. Rejects with `DataDirectoryError` when it is in use or cannot be
 * used.
 */
export async function lockDirectory(path: string): Promise<DirectoryLock> {
  const file = join(path, LOCK_NAME);
  const advice = "stop that process, or give this one another data directory";
  const lock = await locked(path, advice, async (take) => {
    await makeDirectory(path);
    await take();
    // Only for people: on a full disk they have to do without it.
    await writeFile(file, `${process.pid}\n`, { mode: 0o600 }).catch((error) => {
      if (!isNoSpace(error)) throw error;
    });
  });
  return {
    async release() {
      // The file first: after the socket is closed it may be another's.
      await rm(file, { force: true });
      await lock.release();
    },
  };
}

/** As `lockDirectory`, for who only reads: the directory must be there, and nothing in it is changed. */
export async function lockForReading(path: string): Promise<DirectoryLock> {
  const advice = "stop that process first, and look again";
  return locked(path, advice, (take) => take());
}

async function locked(
  path: string,
  advice: string,
  use: (take: () => Promise<void>) => Promise<void>,
): Promise<DirectoryLock> {
  const server = createServer((socket) => socket.destroy());
  let directory: FileHandle | undefined;
  const release = async () => {
    await directory?.close();
    if (server.listening) await close(server);
  };
  try {
    await use(async () => {
      await readdir(path);
      const { dev, ino } = await stat(path, { bigint: true });
      await listen(server, `\0synod:${dev}:${ino}`);
      server.unref();
      directory = await open(path, "r");
      if (await isLockedElsewhere(directory)) throw new DataDirectoryError(elsewhere(path, advice));
    });
    return { release };
  } catch (error) {
    await release();
    throw error instanceof DataDirectoryError
      ? error
      : await refusal(path, advice, error as NodeJS.ErrnoException);
  }
}

function elsewhere(path: string, advice: string): string {
  return `${path} is in use by a process of another container, or of another machine that shares its disk: ${advice}`;
}

/**
 * Takes flock(2) of an open file, which Node.js has no call for: the command of that name locks what it is handed, and
 * the lock stays with the open file. Where there is no such command, or the file system refuses, the directory is not
 * locked against containers.
 */
function isLockedElsewhere({ fd }: FileHandle): Promise<boolean> {
  const child = spawn("flock", ["-n", "3"], { stdio: ["ignore", "ignore", "pipe", fd] });
  let hasComplained = false;
  return new Promise((resolve) => {
    child.stderr!.on("data", () => {
      hasComplained = true;
    });
    child.once("error", () => resolve(false));
    // That of BusyBox has one status for all that goes wrong, but of a lock that another holds it says nothing.
    child.once("close", (code) => resolve(code === 1 && !hasComplained));
  });
}

async function refusal(
  path: string,
  advice: string,
  error: NodeJS.ErrnoException,
): Promise<DataDirectoryError> {
  if (error.code === "EADDRINUSE") {
    return new DataDirectoryError(`${path} is in use by ${await holder(path)}: ${advice}`);
  }
  const { code } = error;
  if (isNoSpace(error)) {
    return new DataDirectoryError(
      `there is no room for ${path} (${code}): free some room on its disk, and start again`,
      { cause: error },
    );
  }
  return new DataDirectoryError(
    `${path} cannot be used as a data directory (${code}): this process must be able to read and write it; ` +
      "correct its owner and mode, or give another",
    { cause: error },
  );
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path, exclusive: true }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function holder(path: string): Promise<string> {
  const text = await readFile(join(path, LOCK_NAME), "latin1").catch(() => "");
  return /^\d+$/.test(text.trim()) ? `process ${text.trim()}` : "another process";
}
