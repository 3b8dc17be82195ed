// A file of this machine of which some bytes cannot be read, as long as a task runs: Node.js is told EIO. At each place
// so many reads fail; all, unless it is said.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { ioError } from "../../src/base/io-error.js";

type Callback = (error: Error | null, value?: unknown) => void;

/** `from` and `to` in the file at `path`. */
export async function withBadSector<T>(
  path: string,
  [from, to]: readonly [number, number],
  task: () => Promise<T>,
  times = Number.POSITIVE_INFINITY,
): Promise<T> {
  const { open, read } = fs;
  const { readFile } = fs.promises;
  const opened = new Set<number>();
  const failed = new Map<string, number>();
  const fails = (position: number, length: number) => {
    const place = `${position} ${length}`;
    const count = failed.get(place) ?? 0;
    failed.set(place, count + 1);
    return count < times;
  };
  const changed: Record<string, unknown> = {
    open: (name: string, flags: string, mode: unknown, done: Callback = mode as Callback) => {
      const noted: Callback = (error, descriptor) => {
        opened.delete(descriptor as number);
        if (error === null && name === path) opened.add(descriptor as number);
        done(error, descriptor);
      };
      if (typeof mode === "number") open(name, flags, mode, noted as never);
      else open(name, flags, noted as never);
    },
    read: (
      descriptor: number,
      bytes: Uint8Array,
      at: number,
      length: number,
      position: number,
      done: Callback,
    ) => {
      const isBad = opened.has(descriptor) && position < to && position + length > from;
      if (isBad && fails(position, length)) setImmediate(done, ioError("read"));
      else read(descriptor, bytes, at, length, position, done as never);
    },
  };
  Object.assign(fs, changed);
  Object.assign(fs.promises, {
    readFile: async (name: string, options: never) => {
      if (name === path) throw ioError("read");
      return readFile(name, options);
    },
  });
  syncBuiltinESMExports();
  try {
    return await task();
  } finally {
    Object.assign(fs, { open, read });
    Object.assign(fs.promises, { readFile });
    syncBuiltinESMExports();
  }
}
