// Fetches a backup from a server. Rule: a file has its name only when all of it is on the disk and was checked.
import { statSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { checkBackup } from "../../io/backup/backup-file.js";
import { NodeDisk } from "../../io/node-disk.js";
import { MaintenanceDefinition } from "../../proto/gen/rpc.js";
import { type ClientFlags, withConnection } from "../client/session.js";
import { CommandFailed, UsageError } from "../failures.js";

/** `isLimited`: the time for a command holds here, too; else it may take as long as it takes, as in etcdctl. */
export async function saveBackup(path: string, flags: ClientFlags, isLimited: boolean): Promise<void> {
  if (flags.endpoints.length > 1) {
    throw new UsageError(
      `snapshot save asks one member, not ${flags.endpoints.length}: give one --endpoints`,
    );
  }
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new CommandFailed(`${path} is a directory: give the name of a file`);
  }
  const part = `${path}.part`;
  const file = await open(part, "w", 0o600);
  try {
    await fetchTo(file, flags, isLimited);
    await checkBackup(part);
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
  await NodeDisk.forReading(dirname(path)).syncDirectory();
}

async function fetchTo(file: FileHandle, flags: ClientFlags, isLimited: boolean): Promise<void> {
  try {
    await withConnection(flags, (to) =>
      to.stream(
        MaintenanceDefinition,
        MaintenanceDefinition.methods.snapshot,
        {},
        isLimited,
        async ({ blob }) => {
          await file.writeFile(blob);
        },
      ),
    );
    await file.sync();
  } finally {
    await file.close();
  }
}
