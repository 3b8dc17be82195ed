// A log that is closed after it has failed: other steps of its files may be under way still, and none of them may find
// its file closed, for the number of a closed file may be another file's by then.
import assert from "node:assert/strict";
import { test } from "node:test";
import { quiet, text, vote, WalLife } from "../../test/support/wal-life.js";
import type { DiskCallback, DiskFile } from "./disk.js";
import { MemoryDisk } from "./memory-disk.js";

/** Holds steps of some files back, and notes what happens to a file at a wrong time. */
class HoldingDisk extends MemoryDisk {
  holds: readonly string[] = [];
  readonly wrong: string[] = [];
  #held: { readonly name: string; readonly run: () => void }[] = [];

  release(name: string): void {
    const released = this.#held.filter((step) => step.name === name);
    this.#held = this.#held.filter((step) => step.name !== name);
    for (const { run } of released) run();
  }

  override async open(name: string, create: boolean): Promise<DiskFile> {
    const file = await super.open(name, create);
    let underWay = 0;
    let isClosed = false;
    const step = (what: string, done: DiskCallback, run: (done: DiskCallback) => void) => {
      if (isClosed) this.wrong.push(`${what} of ${name}, which is closed`);
      underWay += 1;
      const ended: DiskCallback = (error) => {
        underWay -= 1;
        done(error);
      };
      if (this.holds.includes(name)) this.#held.push({ name, run: () => run(ended) });
      else run(ended);
    };
    return {
      name,
      size: () => file.size(),
      read: (position, length) => file.read(position, length),
      write: (position, bytes, done) => step("write", done, (next) => file.write(position, bytes, next)),
      sync: (done) => step("sync", done, (next) => file.sync(next)),
      close: async () => {
        if (underWay > 0) this.wrong.push(`${name} is closed under a step`);
        isClosed = true;
        await file.close();
      },
    };
  }
}

const NEXT = "log-0000000002";

for (const [what, promise] of [
  ["log-0000000001", 0],
  ["promise-a", 9],
  ["promise-b", 9],
] as const) {
  test(`a step of ${what} that ends long after the next segment could not be made`, async () => {
    let fails = false;
    const disk = new HoldingDisk({ fault: (_, name) => (fails && name === NEXT ? new Error("EIO") : null) });
    const life = await WalLife.open(disk, { segmentBytes: 4096 });
    disk.holds = [NEXT];
    await life.sync([vote(1, 5, text("x".repeat(2000)))], 0);
    disk.holds = [what, NEXT];
    life.append([vote(2, 5, "y")], promise);
    await quiet();
    fails = true;
    disk.release(NEXT);
    await quiet();
    assert.equal(life.failures.length, 1);
    const closed = life.wal.close();
    await quiet();
    disk.holds = [];
    disk.release(what);
    await closed;
    await quiet();
    assert.deepEqual([disk.wrong, life.provenTurn], [[], 1]);
  });
}
