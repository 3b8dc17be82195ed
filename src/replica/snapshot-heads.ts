// What the first sectors of the snapshot files say. Rule: a file of a newer version is refused before anything is
// changed.
import { DataDirectoryError } from "../wal/data-directory-error.js";
import type { Disk } from "../wal/disk.js";
import { readPart } from "../wal/unreadable.js";
import { decodeFirstSector, type FirstSector, FORMAT, SECTOR } from "./snapshot-format.js";
import { NAME } from "./snapshot-names.js";

/** Throws `DataDirectoryError` when a newer version wrote one of them; changes nothing. */
export async function checkFormats(disk: Disk): Promise<void> {
  for (const name of await disk.list()) if (NAME.test(name)) await readFirst(disk, name);
}

/** Null: damaged. Throws `DataDirectoryError` when a newer version wrote it. */
export async function readFirst(disk: Disk, name: string): Promise<FirstSector | null> {
  const file = await disk.open(name, false);
  try {
    const first = decodeFirstSector(await readPart(file, 0, SECTOR));
    if (first !== null && first.format !== FORMAT) {
      throw new DataDirectoryError(
        `${name} has format ${first.format}, this version knows ${FORMAT}: start a version that knows it`,
      );
    }
    return first?.isWhole && first.bytes === (await file.size()) ? first : null;
  } finally {
    await file.close();
  }
}
