// What a backup holds, in the formats of `--write-out`, as etcdctl's `snapshot status` prints it.
import { unreachable } from "../../base/assert.js";
import type { Backup } from "../../io/backup/backup-file.js";
import { formatSize } from "../format/byte-size.js";
import { renderTable } from "../format/text-table.js";
import type { Format } from "../print/formats.js";

const HEAD = ["hash", "revision", "total keys", "total size"];

export function backupText(format: Format, { snapshot, revision, keys, bytes }: Backup): string {
  const row = [snapshot.sum.toString(16), String(revision), String(keys), formatSize(bytes)];
  switch (format) {
    case "simple":
      return `${row.join(", ")}\n`;
    case "table":
      return renderTable(HEAD, [row]);
    case "json":
      return `${JSON.stringify({ hash: snapshot.sum, revision, totalKey: keys, totalSize: bytes })}\n`;
    case "fields":
      return `"Hash" : ${snapshot.sum}\n"Revision" : ${revision}\n"Keys" : ${keys}\n"Size" : ${bytes}\n`;
    default:
      return unreachable(format);
  }
}
