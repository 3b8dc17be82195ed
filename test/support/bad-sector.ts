// A file of this machine of which some bytes cannot be read, as long as a task runs: Node.js is told EIO. At each place
// so many reads fail; all, unless it is said.
import fs from "node:fs";
import type { FileHandle } from "node:fs/promises";
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
  const promises = { ...fs.promises };
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
  const failsWhole = (name: string) => name === path && fails(0, Number.POSITIVE_INFINITY);
  Object.assign(fs.promises, {
    // As Node.js does it with small files: a read that ends early, before the sector, is taken for the end.
    readFile: async (name: string, options: never) => {
      const all = await promises.readFile(name, options);
      if (all.length <= from || !failsWhole(name)) return all;
      if (from === 0) throw ioError("read");
      return all.slice(0, from);
    },
    copyFile: async (name: string, copy: string, mode: number) => {
      if (failsWhole(name)) throw ioError("copyfile");
      return promises.copyFile(name, copy, mode);
    },
    open: async (name: string, flags: string, mode: number) => {
      const file = await promises.open(name, flags, mode);
      if (name === path)
        spoil(
          file,
          (position, length) => position < to && position + length > from && fails(position, length),
        );
      return file;
    },
  });
  syncBuiltinESMExports();
  try {
    return await task();
  } finally {
    Object.assign(fs, { open, read });
    const { readFile, copyFile, open: openHandle } = promises;
    Object.assign(fs.promises, { readFile, copyFile, open: openHandle });
    syncBuiltinESMExports();
  }
}

/** Where no position is given it is read from where the read before has ended. */
function spoil(file: FileHandle, isBad: (position: number, length: number) => boolean): void {
  const read = file.read.bind(file);
  let next = 0;
  const spoilt = async (bytes: Buffer, at: number, length: number, position?: number) => {
    if (isBad(position ?? next, length)) throw ioError("read");
    const done = await read(bytes, at, length, position);
    next += position === undefined ? done.bytesRead : 0;
    return done;
  };
  Object.assign(file, { read: spoilt });
}
