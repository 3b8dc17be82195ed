// What every `Disk` must do, as a list that any implementer can run against an empty disk. Durability cannot be seen
// from inside; the crash tests of the log see to that.
import { assert } from "../base/assert.js";
import { bytesEqual } from "../base/bytes.js";
import type { Disk, DiskFile } from "./disk.js";
import { settled } from "./promise-file.js";

export interface DiskContractCase {
  readonly name: string;
  run(makeDisk: () => Promise<Disk>): Promise<void>;
}

function same(actual: Uint8Array, expected: readonly number[], what: string): void {
  assert(bytesEqual(actual, Uint8Array.from(expected)), `${what}: ${actual} is not ${expected}`);
}

function write(file: DiskFile, position: number, bytes: readonly number[]): Promise<void> {
  return settled((done) => file.write(position, Uint8Array.from(bytes), done));
}

async function rejects(action: () => Promise<unknown>, what: string): Promise<void> {
  let failed = false;
  await action().catch((error: unknown) => {
    failed = error instanceof Error;
  });
  assert(failed, `${what} must reject with an Error`);
}

export const DISK_CONTRACT: readonly DiskContractCase[] = [
  {
    name: "an empty directory lists nothing, a created file is listed, names are sorted",
    async run(makeDisk) {
      const disk = await makeDisk();
      assert((await disk.list()).length === 0, "an empty disk lists nothing");
      for (const name of ["b", "a", "c"]) await (await disk.open(name, true)).close();
      assert((await disk.list()).join() === "a,b,c", "names are sorted");
    },
  },
  {
    name: "opening: a new file must not exist, an old one must; it is empty or keeps its content",
    async run(makeDisk) {
      const disk = await makeDisk();
      await rejects(() => disk.open("f", false), "opening a missing file");
      const file = await disk.open("f", true);
      assert((await file.size()) === 0 && file.name === "f", "a new file is empty and knows its name");
      await write(file, 0, [1, 2, 3]);
      await file.close();
      await rejects(() => disk.open("f", true), "creating an existing file");
      const again = await disk.open("f", false);
      same(await again.read(0, 3), [1, 2, 3], "content after reopening");
      await again.close();
    },
  },
  {
    name: "reading gives what was written, fewer bytes only at the end",
    async run(makeDisk) {
      const disk = await makeDisk();
      const file = await disk.open("f", true);
      await write(file, 0, [1, 2, 3, 4]);
      await write(file, 2, [9]);
      same(await file.read(1, 2), [2, 9], "a part");
      same(await file.read(2, 10), [9, 4], "over the end");
      same(await file.read(4, 10), [], "at the end");
      same(await file.read(9, 10), [], "behind the end");
      const memory = new Uint8Array(10).fill(5);
      same(await file.read(1, 2, memory), [2, 9], "a part, where there is memory for it");
      same(memory.subarray(2), [5, 5, 5, 5, 5, 5, 5, 5], "what lies behind it");
      same(await file.read(2, 10, memory), [9, 4], "over the end, where there is memory for it");
      same(await disk.read("f"), [1, 2, 9, 4], "the whole");
      await rejects(() => disk.read("g"), "reading a missing file");
      await file.close();
    },
  },
  {
    name: "writing behind the end fills with zeros",
    async run(makeDisk) {
      const disk = await makeDisk();
      const file = await disk.open("f", true);
      await write(file, 3, [7]);
      assert((await file.size()) === 4, "the file ends where the write ended");
      same(await disk.read("f"), [0, 0, 0, 7], "zeros before");
      await file.close();
    },
  },
  {
    name: "a large write is written whole, and what was read is not changed by later writes",
    async run(makeDisk) {
      const disk = await makeDisk();
      const file = await disk.open("f", true);
      const bytes = new Uint8Array(3_000_001);
      for (let i = 0; i < bytes.length; i += 1) bytes[i] = i % 251;
      await settled((done) => file.write(5, bytes, done));
      await settled((done) => file.sync(done));
      const read = await file.read(5, bytes.length);
      assert(bytesEqual(read, bytes), "all bytes are there");
      await write(file, 5, [255]);
      assert(read[0] === 0, "bytes that were read stay as they were");
      await file.close();
    },
  },
  {
    name: "callbacks come later, not within the call, and without an error when it went well",
    async run(makeDisk) {
      const disk = await makeDisk();
      const file = await disk.open("f", true);
      let inside = true;
      await settled((done) => {
        file.write(0, Uint8Array.of(1), (error) => {
          assert(!inside, "a callback within the call");
          done(error);
        });
        inside = false;
      });
      await settled((done) => file.sync(done));
      await file.close();
    },
  },
  {
    name: "rename replaces, remove removes, an open file stays usable",
    async run(makeDisk) {
      const disk = await makeDisk();
      const a = await disk.open("a", true);
      const b = await disk.open("b", true);
      await write(a, 0, [1]);
      await write(b, 0, [2]);
      await disk.rename("a", "b");
      await disk.syncDirectory();
      assert((await disk.list()).join() === "b", "one name is left");
      same(await disk.read("b"), [1], "the content of the renamed file");
      await write(a, 1, [3]);
      same(await disk.read("b"), [1, 3], "written through the open file");
      await disk.remove("b");
      await disk.syncDirectory();
      assert((await disk.list()).length === 0, "removed");
      await rejects(() => disk.remove("b"), "removing a missing file");
      await rejects(() => disk.rename("a", "c"), "renaming a missing file");
      await a.close();
      await b.close();
    },
  },
];
