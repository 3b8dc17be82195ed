// The pieces of a snapshot file, as a backup takes them: each is read while the one before is used.
import assert from "node:assert/strict";
import { test } from "node:test";
import { diskWith, sample, write } from "../../test/support/snapshot-samples.js";
import { concatBytes } from "../base/bytes.js";
import { MemoryDisk } from "../wal/memory-disk.js";
import { SnapshotFiles } from "./snapshot-files.js";

test("pieces are kept by who wants to, and lent ones hold still until the next one is asked for", async () => {
  const files = await SnapshotFiles.open(await diskWith(sample(9, 5000)));
  const [info] = files.all;
  const whole = await files.read(info!, 0, info!.bytes);
  const kept: Uint8Array[] = [];
  for await (const piece of files.pieces(info!, 777)) kept.push(piece);
  assert.deepEqual(concatBytes(kept), whole);
  const memory = new Set<ArrayBufferLike>();
  let at = 0;
  for await (const piece of files.pieces(info!, 777, true)) {
    // The next one is read meanwhile.
    await new Promise(setImmediate);
    assert.deepEqual(piece.slice(), whole.slice(at, at + 777));
    at += piece.length;
    memory.add(piece.buffer);
  }
  assert.deepEqual([at, memory.size], [whole.length, 2]);
});

/** Reads one after the other, each when it is let go on, and says when a file is closed. */
class HeldDisk extends MemoryDisk {
  readonly reads: ((error?: Error) => void)[] = [];
  isHolding = false;
  closed = 0;

  override async open(file: string, create: boolean) {
    const opened = await super.open(file, create);
    const read = async (...place: Parameters<typeof opened.read>) => {
      if (this.isHolding) {
        await new Promise<void>((resolve, reject) => {
          this.reads.push((error) => (error === undefined ? resolve() : reject(error)));
        });
      }
      return opened.read(...place);
    };
    const close = async () => {
      this.closed += 1;
    };
    return { ...opened, read, close };
  }
}

test("a piece that cannot be read is told when it is asked for, and a file is closed when nothing reads it", async () => {
  const disk = new HeldDisk();
  const files = await SnapshotFiles.open(disk);
  const info = await write(files, sample(9, 5000));
  disk.isHolding = true;
  for (const isGivenUp of [false, true]) {
    disk.closed = 0;
    const pieces = files.pieces(info, 777, true);
    const first = pieces.next();
    await new Promise(setImmediate);
    disk.reads.pop()!();
    assert.equal((await first).value!.length, 777);
    const end = isGivenUp ? pieces.return(undefined) : null;
    await new Promise(setImmediate);
    assert.equal(disk.closed, 0, "the second one is being read");
    disk.reads.pop()!(new Error("no disk"));
    await new Promise(setImmediate);
    if (end === null) await assert.rejects(pieces.next(), /no disk/);
    else assert.equal((await end).done, true);
    assert.equal(disk.closed, 1);
  }
});
