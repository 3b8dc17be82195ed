// The golden data directories, in memory and as copies on the disk.
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MemoryDisk } from "../../src/wal/memory-disk.js";

export const GOLDEN = join(import.meta.dirname, "..", "..", "..", "test", "golden", "format");

export function goldenDisk(name: string): MemoryDisk {
  const disk = new MemoryDisk();
  const directory = join(GOLDEN, name);
  for (const file of readdirSync(directory)) {
    disk.put(file, new Uint8Array(readFileSync(join(directory, file))));
  }
  return disk;
}

export function copyGolden(name: string, to: string): string {
  cpSync(join(GOLDEN, name), to, { recursive: true });
  return to;
}
